/* A Tracker and the columns under it: `_slots.c` keeps them in order, `_tracker.c` is what Python calls.
 *
 * A slot is one watched player. Slots are columns, one array each, so that a pass over 100,000 of them reads nothing it
 * does not need. The first `sorted` slots are in the order of (key, handle), dead ones among them; the slots behind, up
 * to `used`, came since and are in no order. `settle` brings all in order in one pass, so that a thousand who come, go or
 * move within a version cost one pass.
 */
#ifndef RANKCAST_TRACKER_H
#define RANKCAST_TRACKER_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

#pragma GCC visibility push(hidden)

extern PyType_Spec tracker_spec;

enum { HANDLE, POSITION, RANK, TOLD_POSITION, TOLD_RANK, COLUMNS };

#define WORD 8       /* bytes of a word of a key: one a column of the board, then the seq */
#define MOST_WORDS 5 /* four columns and the seq */
#define HANDLES (1 << 24)
#define PLACES (1 << 30) /* leaves an int32 room for a thousand million moves that do not add up */
#define DEAD (-1)

/* Arrays too, by handle. */
typedef struct {
    Py_ssize_t size;
    PyObject **object; /* the handle as an int, so that `changed` makes none; NULL while it is not tracked */
    int32_t *slot;
    uint64_t *named; /* the last call of `apply` that named it: none may name it twice */
} Handles;

typedef struct {
    uint64_t *keys; /* as native words, compared as numbers */
    int32_t *column[COLUMNS];
    int32_t *position_steps; /* all zero outside `apply` */
    int32_t *rank_steps;
} Slots;

typedef struct {
    PyObject_HEAD
    int words;
    Py_ssize_t sorted, used, capacity;
    Py_ssize_t dead; /* of the sorted */
    Py_ssize_t count;
    void *memory; /* what `slots` points into */
    Slots slots;
    Handles handles;
    uint64_t applies;
} Tracker;

/* A slot taken out of the columns. Words that the board's keys do not have are zero. */
typedef struct {
    uint64_t key[MOST_WORDS];
    int32_t value[COLUMNS];
} Row;

/* One end of a move: behind its key, `step` more stand before. */
typedef struct {
    uint64_t key[MOST_WORDS];
    Py_ssize_t slot; /* of the first that stands behind */
    int32_t step;
} End;

/* The slot of each end: the first in order of which the first `words` words are greater than those of the end. */
void find_all(const Tracker *self, End *ends, Py_ssize_t count, int words);
void read_key(uint64_t *key, PyObject *bytes, int words);
PyObject *write_key(const uint64_t *key, int words);
int compare_keys(const uint64_t *one, const uint64_t *other, int words);
uint64_t *key_at(const Tracker *self, Py_ssize_t slot);
Row row_at(const Tracker *self, Py_ssize_t slot);

/* Nobody stands in this slot any more. */
void bury(Tracker *self, Py_ssize_t slot);
/* One more slot in the tail, for which there must be room. */
void append(Tracker *self, const Row *row);
/* Brings all slots in order. `rows` has room for the whole tail. */
void settle(Tracker *self, Row *rows);

/* Room for `more` in the tail, and for a handle. -1 with an exception where there is no memory. */
int make_room(Tracker *self, Py_ssize_t more);
int make_room_for_handle(Tracker *self, Py_ssize_t handle);

#pragma GCC visibility pop
#endif
