/* The columns of a Tracker: `_tracker.h` says what they are. */
#include "_tracker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* ---- keys ---- */

void read_key(uint64_t *key, PyObject *bytes, int words) {
    const unsigned char *from = (const unsigned char *)PyBytes_AS_STRING(bytes);
    for (int i = 0; i < words; i++) {
        uint64_t word = 0;
        for (int byte = 0; byte < WORD; byte++)
            word = word << 8 | *from++;
        key[i] = word;
    }
}

PyObject *write_key(const uint64_t *key, int words) {
    unsigned char bytes[MOST_WORDS * WORD], *to = bytes;
    for (int i = 0; i < words; i++)
        for (int shift = 56; shift >= 0; shift -= 8)
            *to++ = (unsigned char)(key[i] >> shift);
    return PyBytes_FromStringAndSize((char *)bytes, words * WORD);
}

int compare_keys(const uint64_t *one, const uint64_t *other, int words) {
    for (int i = 0; i < words; i++)
        if (one[i] != other[i])
            return one[i] < other[i] ? -1 : 1;
    return 0;
}

static inline int is_greater(const uint64_t *one, const uint64_t *other, int words) {
    int i = 0;
    while (i < words - 1 && one[i] == other[i])
        i++;
    return one[i] > other[i];
}

uint64_t *key_at(const Tracker *self, Py_ssize_t slot) { return self->slots.keys + slot * self->words; }

/* The first slot in order, before `high`, that is behind `key`. */
static Py_ssize_t first_behind(const Tracker *self, const uint64_t *key, Py_ssize_t high) {
    Py_ssize_t low = 0;
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if (is_greater(key_at(self, middle), key, self->words))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* All searches halve the same stretch, so they go side by side: the memory that one waits for does not hold up the next.
 * The step is masked, not branched over, since nobody can foresee which half it is. */
void find_all(const Tracker *self, End *ends, Py_ssize_t count, int words) {
    Py_ssize_t half, left = self->sorted;
    for (Py_ssize_t i = 0; i < count; i++)
        ends[i].slot = 0;
    for (; left > 0; left -= half) {
        half = (left + 1) / 2;
        for (Py_ssize_t i = 0; i < count; i++) {
            const uint64_t *key = key_at(self, ends[i].slot + half - 1);
            ends[i].slot += half & -(Py_ssize_t)!is_greater(key, ends[i].key, words);
        }
    }
}

/* ---- slots ---- */

static size_t slot_bytes(int words) { return words * sizeof(uint64_t) + (COLUMNS + 2) * sizeof(int32_t); }

static Slots lay_out(void *memory, Py_ssize_t capacity, int words) {
    Slots slots = {.keys = memory};
    int32_t *next = (int32_t *)(slots.keys + capacity * words);
    for (int i = 0; i < COLUMNS; i++, next += capacity)
        slots.column[i] = next;
    slots.position_steps = next;
    slots.rank_steps = next + capacity;
    return slots;
}

static void move_slots(const Slots *from, Py_ssize_t at, const Slots *to, Py_ssize_t where, Py_ssize_t count, int words) {
    if (count == 0 || (from == to && at == where))
        return;
    memmove(to->keys + where * words, from->keys + at * words, count * words * sizeof(uint64_t));
    for (int i = 0; i < COLUMNS; i++)
        memmove(to->column[i] + where, from->column[i] + at, count * sizeof(int32_t));
}

static void put_row(Tracker *self, Py_ssize_t slot, const Row *row) {
    memcpy(key_at(self, slot), row->key, self->words * sizeof(uint64_t));
    for (int i = 0; i < COLUMNS; i++)
        self->slots.column[i][slot] = row->value[i];
}

Row row_at(const Tracker *self, Py_ssize_t slot) {
    Row row = {{0}, {0}};
    memcpy(row.key, key_at(self, slot), self->words * sizeof(uint64_t));
    for (int i = 0; i < COLUMNS; i++)
        row.value[i] = self->slots.column[i][slot];
    return row;
}

/* A dead slot counts as told, so that `changed` need not look for it. */
void bury(Tracker *self, Py_ssize_t slot) {
    int32_t **column = self->slots.column;
    column[HANDLE][slot] = DEAD;
    column[TOLD_POSITION][slot] = column[POSITION][slot];
    column[TOLD_RANK][slot] = column[RANK][slot];
    if (slot < self->sorted)
        self->dead++;
}

void append(Tracker *self, const Row *row) {
    put_row(self, self->used, row);
    self->handles.slot[row->value[HANDLE]] = (int32_t)self->used++;
}

/* ---- settle ---- */

static int row_order(const void *one, const void *other) {
    const Row *a = one, *b = other;
    int order = compare_keys(a->key, b->key, MOST_WORDS);
    return order != 0 ? order : a->value[HANDLE] - b->value[HANDLE];
}

/* Takes the living out of the tail, in order. */
static Py_ssize_t lift_tail(Tracker *self, Row *rows) {
    Py_ssize_t count = 0;
    for (Py_ssize_t slot = self->sorted; slot < self->used; slot++)
        if (self->slots.column[HANDLE][slot] != DEAD)
            rows[count++] = row_at(self, slot);
    self->used = self->sorted;
    qsort(rows, (size_t)count, sizeof(Row), row_order);
    return count;
}

/* The first dead slot from `slot` on, or the end of the sorted. */
static Py_ssize_t next_dead(const Tracker *self, Py_ssize_t slot) {
    static_assert(sizeof(wchar_t) == sizeof(int32_t), "wmemchr is the one search of the C library that takes whole ints");
    const wchar_t *handle = (const wchar_t *)self->slots.column[HANDLE];
    const wchar_t *dead = slot == self->sorted ? NULL : wmemchr(handle + slot, DEAD, (size_t)(self->sorted - slot));
    return dead == NULL ? self->sorted : dead - handle;
}

/* Closes the gaps that the dead left among the sorted. Returns the first slot that has another player now. */
static Py_ssize_t close_gaps(Tracker *self) {
    if (self->dead == 0)
        return self->sorted;
    Py_ssize_t first = next_dead(self, 0), to = first;
    for (Py_ssize_t dead = first, next; dead < self->sorted; dead = next) {
        next = next_dead(self, dead + 1);
        move_slots(&self->slots, dead + 1, &self->slots, to, next - dead - 1, self->words);
        to += next - dead - 1;
    }
    self->sorted = self->used = to;
    self->dead = 0;
    return first;
}

/* The first slot in order that comes behind `row`. */
static Py_ssize_t slot_for(const Tracker *self, const Row *row, Py_ssize_t end) {
    Py_ssize_t slot = first_behind(self, row->key, end);
    while (slot > 0 && self->slots.column[HANDLE][slot - 1] > row->value[HANDLE] &&
           compare_keys(key_at(self, slot - 1), row->key, self->words) == 0)
        slot--;
    return slot;
}

/* Merges the rows in from behind, so that each slot moves once. Returns the first slot that has another player now. */
static Py_ssize_t merge(Tracker *self, const Row *rows, Py_ssize_t count) {
    Py_ssize_t end = self->sorted;
    self->sorted = self->used = end + count;
    while (count > 0) {
        Py_ssize_t slot = slot_for(self, &rows[--count], end);
        move_slots(&self->slots, slot, &self->slots, slot + count + 1, end - slot, self->words);
        put_row(self, slot + count, &rows[count]);
        end = slot;
    }
    return end;
}

static void number_from(Tracker *self, Py_ssize_t slot) {
    for (const int32_t *handle = self->slots.column[HANDLE]; slot < self->sorted; slot++)
        self->handles.slot[handle[slot]] = (int32_t)slot;
}

void settle(Tracker *self, Row *rows) {
    Py_ssize_t count = lift_tail(self, rows);
    Py_ssize_t closed = close_gaps(self);
    Py_ssize_t merged = merge(self, rows, count);
    number_from(self, closed < merged ? closed : merged);
}

static int settle_now(Tracker *self) {
    Row *rows = PyMem_New(Row, self->used - self->sorted);
    if (rows == NULL)
        return PyErr_NoMemory(), -1;
    settle(self, rows);
    PyMem_Free(rows);
    return 0;
}

/* ---- room ---- */

static int lay_out_anew(Tracker *self, Py_ssize_t capacity) {
    void *memory = PyMem_Calloc((size_t)capacity, slot_bytes(self->words));
    if (memory == NULL)
        return PyErr_NoMemory(), -1;
    Slots slots = lay_out(memory, capacity, self->words);
    move_slots(&self->slots, 0, &slots, 0, self->used, self->words);
    PyMem_Free(self->memory);
    self->memory = memory;
    self->slots = slots;
    self->capacity = capacity;
    return 0;
}

/* Players who come and go without a version between them must not make the tail longer and longer: when it is full all
 * are settled, and get half as much again as they need then, be it more or less than before. */
int make_room(Tracker *self, Py_ssize_t more) {
    if (self->used + more <= self->capacity)
        return 0;
    if (settle_now(self) < 0)
        return -1;
    Py_ssize_t needed = self->used + more;
    return lay_out_anew(self, needed + needed / 2 + 16);
}

int make_room_for_handle(Tracker *self, Py_ssize_t handle) {
    Handles *handles = &self->handles;
    if (handle < handles->size)
        return 0;
    size_t size = (size_t)(handle + handle / 2 + 16), more = size - (size_t)handles->size;
    PyObject **object = PyMem_Realloc(handles->object, size * sizeof(*object));
    handles->object = object == NULL ? handles->object : object;
    int32_t *slot = PyMem_Realloc(handles->slot, size * sizeof(*slot));
    handles->slot = slot == NULL ? handles->slot : slot;
    uint64_t *named = PyMem_Realloc(handles->named, size * sizeof(*named));
    handles->named = named == NULL ? handles->named : named;
    if (object == NULL || slot == NULL || named == NULL)
        return PyErr_NoMemory(), -1;
    memset(object + handles->size, 0, more * sizeof(*object));
    memset(named + handles->size, 0, more * sizeof(*named));
    handles->size = (Py_ssize_t)size;
    return 0;
}
