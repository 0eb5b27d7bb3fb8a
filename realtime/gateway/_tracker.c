/* Tracker in C. Its twin and its contract: `realtime/core/tracker.py`. */
#include "_tracker.h"

#define AHEAD 16 /* slots */

/* ---- arguments ---- */

static int check_key(const Tracker *self, PyObject *key) {
    if (!PyBytes_Check(key)) {
        PyErr_Format(PyExc_TypeError, "a key is bytes, not %.100s", Py_TYPE(key)->tp_name);
        return -1;
    }
    if (PyBytes_GET_SIZE(key) != self->words * WORD) {
        PyErr_Format(PyExc_ValueError, "a key of this board has %d bytes, not %zd", self->words * WORD,
                     PyBytes_GET_SIZE(key));
        return -1;
    }
    return 0;
}

static int check_key_or_none(const Tracker *self, PyObject *key) {
    return PyBytes_Check(key) && PyBytes_GET_SIZE(key) == 0 ? 0 : check_key(self, key);
}

/* An exact answer for any int: only ints are taken, since a call of `__index__` could call the tracker meanwhile. */
static int read_int(PyObject *object, long least, long most, const char *what, int32_t *value) {
    int overflow;
    if (!PyLong_Check(object)) {
        PyErr_Format(PyExc_TypeError, "a %s is an int, not %.100s", what, Py_TYPE(object)->tp_name);
        return -1;
    }
    long number = PyLong_AsLongAndOverflow(object, &overflow);
    if (overflow || number < least || number > most) {
        PyErr_Format(PyExc_ValueError, "%s %S is not from %ld to %ld", what, object, least, most);
        return -1;
    }
    *value = (int32_t)number;
    return 0;
}

static int read_place(PyObject *position, PyObject *rank, int32_t *place) {
    if (read_int(position, 0, PLACES - 1, "position", &place[0]) < 0)
        return -1;
    return read_int(rank, 1, PLACES, "rank", &place[1]);
}

static int is_tracked(const Tracker *self, long handle) {
    return handle >= 0 && handle < self->handles.size && self->handles.object[handle] != NULL;
}

/* The handle, or -1 with an exception. */
static Py_ssize_t tracked(const Tracker *self, PyObject *object) {
    int overflow;
    if (!PyLong_Check(object)) {
        PyErr_Format(PyExc_TypeError, "a handle is an int, not %.100s", Py_TYPE(object)->tp_name);
        return -1;
    }
    long handle = PyLong_AsLongAndOverflow(object, &overflow);
    if (!overflow && is_tracked(self, handle))
        return handle;
    PyErr_SetObject(PyExc_KeyError, object);
    return -1;
}

/* ---- apply ---- */

static int check_move(const Tracker *self, PyObject *move) {
    if (!PyTuple_Check(move) || PyTuple_GET_SIZE(move) != 2) {
        PyErr_SetString(PyExc_TypeError, "a move is a tuple of two keys");
        return -1;
    }
    if (check_key_or_none(self, PyTuple_GET_ITEM(move, 0)) < 0)
        return -1;
    return check_key_or_none(self, PyTuple_GET_ITEM(move, 1));
}

static int check_own(Tracker *self, PyObject *own) {
    int32_t place[2];
    if (!PyTuple_Check(own) || PyTuple_GET_SIZE(own) != 4) {
        PyErr_SetString(PyExc_TypeError, "an own move is a tuple of handle, key, position and rank");
        return -1;
    }
    PyObject *key = PyTuple_GET_ITEM(own, 1);
    Py_ssize_t handle = tracked(self, PyTuple_GET_ITEM(own, 0));
    if (handle < 0 || check_key_or_none(self, key) < 0)
        return -1;
    if (self->handles.named[handle] == self->applies) {
        PyErr_Format(PyExc_ValueError, "handle %zd is named twice", handle);
        return -1;
    }
    self->handles.named[handle] = self->applies;
    return PyBytes_GET_SIZE(key) == 0 ? 0 : read_place(PyTuple_GET_ITEM(own, 2), PyTuple_GET_ITEM(own, 3), place);
}

static int check_all(Tracker *self, PyObject *moves, PyObject *owns) {
    self->applies++;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(moves); i++)
        if (check_move(self, PySequence_Fast_GET_ITEM(moves, i)) < 0)
            return -1;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(owns); i++)
        if (check_own(self, PySequence_Fast_GET_ITEM(owns, i)) < 0)
            return -1;
    return 0;
}

static void forget(Tracker *self, Py_ssize_t handle) {
    bury(self, self->handles.slot[handle]);
    Py_CLEAR(self->handles.object[handle]);
    self->count--;
}

/* Leaves the slot where the key is another, for one in the tail: `settle` brings it to its place. */
static void replace(Tracker *self, PyObject *own) {
    Py_ssize_t handle = tracked(self, PyTuple_GET_ITEM(own, 0)), slot = self->handles.slot[handle];
    PyObject *key = PyTuple_GET_ITEM(own, 1);
    if (PyBytes_GET_SIZE(key) == 0) {
        forget(self, handle);
        return;
    }
    Row row = row_at(self, slot);
    read_key(row.key, key, self->words);
    if (compare_keys(row.key, key_at(self, slot), self->words) != 0) {
        bury(self, slot);
        append(self, &row);
    }
}

static void place_own(Tracker *self, PyObject *own) {
    int32_t place[2] = {0, 0};
    if (PyBytes_GET_SIZE(PyTuple_GET_ITEM(own, 1)) == 0)
        return;
    Py_ssize_t slot = self->handles.slot[tracked(self, PyTuple_GET_ITEM(own, 0))];
    read_place(PyTuple_GET_ITEM(own, 2), PyTuple_GET_ITEM(own, 3), place);
    self->slots.column[POSITION][slot] = place[0];
    self->slots.column[RANK][slot] = place[1];
}

/* The ends of all moves that are moves. `ends` has room for two each. */
static Py_ssize_t read_ends(const Tracker *self, PyObject *moves, End *ends) {
    Py_ssize_t count = 0;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(moves); i++) {
        PyObject *move = PySequence_Fast_GET_ITEM(moves, i);
        for (int side = 0; side < 2; side++) {
            PyObject *key = PyTuple_GET_ITEM(move, side);
            if (PyBytes_GET_SIZE(key) == 0)
                continue;
            read_key(ends[count].key, key, self->words);
            ends[count++].step = side == 0 ? -1 : 1;
        }
    }
    return count;
}

/* Enters the steps of all ends where their first `words` words put them. Returns the first slot that has one. */
static Py_ssize_t step_all(Tracker *self, End *ends, Py_ssize_t count, int words, int32_t *steps) {
    Py_ssize_t first = self->sorted;
    find_all(self, ends, count, words);
    for (Py_ssize_t i = 0; i < count; i++)
        if (ends[i].slot < self->sorted) {
            steps[ends[i].slot] += ends[i].step;
            first = ends[i].slot < first ? ends[i].slot : first;
        }
    return first;
}

/* One running sum, which leaves the steps at zero. */
static void run_from(Tracker *self, Py_ssize_t slot) {
    int32_t *position = self->slots.column[POSITION], *rank = self->slots.column[RANK];
    int32_t *position_steps = self->slots.position_steps, *rank_steps = self->slots.rank_steps;
    for (int32_t passed = 0, outranked = 0; slot < self->sorted; slot++) {
        passed += position_steps[slot];
        outranked += rank_steps[slot];
        position_steps[slot] = rank_steps[slot] = 0;
        position[slot] += passed;
        rank[slot] += outranked;
    }
}

static void pass(Tracker *self, PyObject *moves, End *ends) {
    Py_ssize_t count = read_ends(self, moves, ends);
    /* Who passes by the columns has passed by the key before: ranks step nowhere before the first position that does. */
    Py_ssize_t first = step_all(self, ends, count, self->words, self->slots.position_steps);
    step_all(self, ends, count, self->words - 1, self->slots.rank_steps);
    run_from(self, first);
}

/* All memory is had before the first change: a version is applied whole or not at all. */
static int apply_all(Tracker *self, PyObject *moves, PyObject *owns) {
    Py_ssize_t count = PySequence_Fast_GET_SIZE(owns);
    if (check_all(self, moves, owns) < 0 || make_room(self, count) < 0)
        return -1;
    Row *rows = PyMem_New(Row, self->used - self->sorted + count);
    End *ends = PyMem_New(End, 2 * PySequence_Fast_GET_SIZE(moves));
    int failed = rows == NULL || ends == NULL;
    for (Py_ssize_t i = 0; !failed && i < count; i++)
        replace(self, PySequence_Fast_GET_ITEM(owns, i));
    if (!failed) {
        settle(self, rows);
        pass(self, moves, ends);
    }
    for (Py_ssize_t i = 0; !failed && i < count; i++)
        place_own(self, PySequence_Fast_GET_ITEM(owns, i));
    PyMem_Free(rows);
    PyMem_Free(ends);
    return failed ? (PyErr_NoMemory(), -1) : 0;
}

/* ---- what Python sees ---- */

static PyObject *tracker_apply(Tracker *self, PyObject *args) {
    PyObject *moves, *owns;
    if (!PyArg_ParseTuple(args, "OO:apply", &moves, &owns))
        return NULL;
    moves = PySequence_Fast(moves, "moves are a sequence");
    owns = moves == NULL ? NULL : PySequence_Fast(owns, "own moves are a sequence");
    int failed = owns == NULL || apply_all(self, moves, owns) < 0;
    Py_XDECREF(moves);
    Py_XDECREF(owns);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *tracker_add(Tracker *self, PyObject *args) {
    PyObject *handle, *key, *position, *rank;
    Row row = {{0}, {0}};
    if (!PyArg_ParseTuple(args, "OOOO:add", &handle, &key, &position, &rank))
        return NULL;
    int32_t *value = row.value;
    if (read_int(handle, 0, HANDLES - 1, "handle", &value[HANDLE]) < 0)
        return NULL;
    if (is_tracked(self, value[HANDLE]))
        return PyErr_Format(PyExc_ValueError, "handle %S is tracked already", handle);
    if (check_key(self, key) < 0 || read_place(position, rank, &value[POSITION]) < 0)
        return NULL;
    if (make_room_for_handle(self, value[HANDLE]) < 0 || make_room(self, 1) < 0)
        return NULL;
    PyObject *object = PyLong_FromLong(value[HANDLE]);
    if (object == NULL)
        return NULL;
    self->handles.object[value[HANDLE]] = object;
    self->count++;
    read_key(row.key, key, self->words);
    value[TOLD_POSITION] = value[POSITION];
    value[TOLD_RANK] = value[RANK];
    append(self, &row);
    Py_RETURN_NONE;
}

static PyObject *tracker_remove(Tracker *self, PyObject *object) {
    Py_ssize_t handle = tracked(self, object);
    if (handle < 0)
        return NULL;
    forget(self, handle);
    Py_RETURN_NONE;
}

/* Only the sorted can have changed: `apply` leaves no tail, and who came since was told where it stands. */
static inline int has_changed(const Tracker *self, Py_ssize_t slot) {
    int32_t *const *column = self->slots.column;
    return (column[POSITION][slot] != column[TOLD_POSITION][slot]) | (column[RANK][slot] != column[TOLD_RANK][slot]);
}

/* Handles lie about in memory: to wait for each would take as long again as the list. */
static inline void prefetch_object(const Tracker *self, Py_ssize_t slot) {
    if (slot < self->sorted && self->slots.column[HANDLE][slot] != DEAD)
        __builtin_prefetch(self->handles.object[self->slots.column[HANDLE][slot]]);
}

static PyObject *tracker_changed(Tracker *self, PyObject *Py_UNUSED(none)) {
    Py_ssize_t count = 0, next = 0;
    for (Py_ssize_t slot = 0; slot < self->sorted; slot++)
        count += has_changed(self, slot);
    /* A new list may set off the garbage collector, and a finalizer there may call the tracker: fewer may be left. */
    PyObject *list = PyList_New(count);
    if (list == NULL)
        return NULL;
    for (Py_ssize_t slot = 0; slot < self->sorted && next < count; slot++) {
        prefetch_object(self, slot + AHEAD);
        if (has_changed(self, slot)) {
            PyObject *object = self->handles.object[self->slots.column[HANDLE][slot]];
            Py_INCREF(object);
            PyList_SET_ITEM(list, next++, object);
        }
    }
    Py_SET_SIZE((PyVarObject *)list, next);
    return list;
}

static PyObject *news_item(const Tracker *self, const Row *row) {
    PyObject *key = write_key(row->key, self->words);
    return key == NULL ? NULL : Py_BuildValue("(iNii)", row->value[HANDLE], key, row->value[POSITION], row->value[RANK]);
}

static PyObject *news_list(const Tracker *self, const Row *rows, Py_ssize_t count) {
    PyObject *list = PyList_New(count);
    for (Py_ssize_t next = 0; list != NULL && next < count; next++) {
        PyObject *item = news_item(self, &rows[next]);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, next, item);
    }
    return list;
}

/* Copied before anything of Python is made, which may set off the collector, and a finalizer that calls the tracker. */
static PyObject *tracker_news(Tracker *self, PyObject *Py_UNUSED(none)) {
    int32_t *const *column = self->slots.column;
    Py_ssize_t count = 0, next = 0;
    for (Py_ssize_t slot = 0; slot < self->sorted; slot++)
        count += has_changed(self, slot);
    Row *rows = PyMem_New(Row, count ? count : 1);
    if (rows == NULL)
        return PyErr_NoMemory();
    for (Py_ssize_t slot = 0; slot < self->sorted; slot++)
        if (has_changed(self, slot)) {
            column[TOLD_POSITION][slot] = column[POSITION][slot];
            column[TOLD_RANK][slot] = column[RANK][slot];
            rows[next++] = row_at(self, slot);
        }
    PyObject *list = news_list(self, rows, count);
    PyMem_Free(rows);
    return list;
}

static PyObject *tracker_tell(Tracker *self, PyObject *object) {
    Py_ssize_t handle = tracked(self, object);
    if (handle < 0)
        return NULL;
    int32_t **column = self->slots.column, slot = self->handles.slot[handle];
    int32_t position = column[POSITION][slot], rank = column[RANK][slot];
    int32_t told_position = column[TOLD_POSITION][slot], told_rank = column[TOLD_RANK][slot];
    column[TOLD_POSITION][slot] = position;
    column[TOLD_RANK][slot] = rank;
    return Py_BuildValue("(iiii)", position, rank, told_position, told_rank);
}

static PyObject *tracker_place(Tracker *self, PyObject *object) {
    Py_ssize_t handle = tracked(self, object);
    if (handle < 0)
        return NULL;
    int32_t **column = self->slots.column, slot = self->handles.slot[handle];
    PyObject *key = write_key(key_at(self, slot), self->words);
    return key == NULL ? NULL : Py_BuildValue("(Nii)", key, column[POSITION][slot], column[RANK][slot]);
}

static Py_ssize_t tracker_length(Tracker *self) { return self->count; }

static PyObject *tracker_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"width", NULL};
    Py_ssize_t width;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "n:Tracker", names, &width))
        return NULL;
    if (width % WORD != 0 || width < 2 * WORD || width > MOST_WORDS * WORD)
        return PyErr_Format(PyExc_ValueError, "a sort key has 16, 24, 32 or 40 bytes, not %zd", width);
    Tracker *self = (Tracker *)type->tp_alloc(type, 0); /* all zero */
    if (self != NULL)
        self->words = (int)(width / WORD);
    return (PyObject *)self;
}

static void tracker_dealloc(Tracker *self) {
    PyTypeObject *type = Py_TYPE(self);
    for (Py_ssize_t handle = 0; handle < self->handles.size; handle++)
        Py_XDECREF(self->handles.object[handle]);
    PyMem_Free(self->handles.object);
    PyMem_Free(self->handles.slot);
    PyMem_Free(self->handles.named);
    PyMem_Free(self->memory);
    type->tp_free(self);
    Py_DECREF(type);
}

#define METHOD(name, flags) {#name, (PyCFunction)(void (*)(void))tracker_##name, flags, NULL}

static PyMethodDef tracker_methods[] = {
    METHOD(add, METH_VARARGS),
    METHOD(remove, METH_O),
    METHOD(apply, METH_VARARGS),
    METHOD(changed, METH_NOARGS),
    METHOD(news, METH_NOARGS),
    METHOD(tell, METH_O),
    METHOD(place, METH_O),
    {NULL, NULL, 0, NULL},
};

static PyType_Slot tracker_slots[] = {
    {Py_tp_doc, "Where watched players stand: realtime.core.tracker.Tracker in C."},
    {Py_tp_new, tracker_new},
    {Py_tp_dealloc, tracker_dealloc},
    {Py_tp_methods, tracker_methods},
    {Py_sq_length, tracker_length},
    {0, NULL},
};

PyType_Spec tracker_spec = {
    .name = "realtime.gateway._speedups.Tracker",
    .basicsize = sizeof(Tracker),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = tracker_slots,
};
