/* The node's two inner loops: sending one frame to many sockets, here, and the places of the watched, in `_tracker.c`.
 *
 * Optional. The twins in Python are `realtime/gateway/sending.py` and `realtime/core/tracker.py`: their docstrings
 * state the contract of both, and one set of tests holds both to it.
 */
#include "_tracker.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* where it does not exist: Python ignores SIGPIPE anyway */
#endif

typedef struct {
    Py_ssize_t index;
    Py_ssize_t sent; /* or -errno */
} Short;

static Py_ssize_t send_one(int fd, const char *frame, size_t size) {
    ssize_t sent;
    do
        sent = send(fd, frame, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return sent;
    return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
}

/* Runs without the GIL: touches no Python object. Returns how many it put into `shorts`. */
static Py_ssize_t send_all(const int *fds, Py_ssize_t start, Py_ssize_t stop, const char *frame, Py_ssize_t size,
                           Short *shorts) {
    Py_ssize_t count = 0;
    for (Py_ssize_t index = start; index < stop; index++) {
        if (fds[index] < 0)
            continue;
        Py_ssize_t sent = send_one(fds[index], frame, (size_t)size);
        if (sent != size)
            shorts[count++] = (Short){index, sent};
    }
    return count;
}

static PyObject *list_of_shorts(const Short *shorts, Py_ssize_t count) {
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *pair = Py_BuildValue("(nn)", shorts[i].index, shorts[i].sent);
        if (pair == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, pair);
    }
    return list;
}

static PyObject *send_to(const Py_buffer *fds, Py_ssize_t start, Py_ssize_t stop, PyObject *frame) {
    Py_ssize_t length = fds->len / (Py_ssize_t)sizeof(int);
    if (start < 0 || start > stop || stop > length)
        return PyErr_Format(PyExc_ValueError, "%zd:%zd is no slice of %zd descriptors", start, stop, length);
    Short *shorts = PyMem_New(Short, stop - start);
    if (shorts == NULL)
        return PyErr_NoMemory();
    const char *bytes = PyBytes_AS_STRING(frame);
    Py_ssize_t size = PyBytes_GET_SIZE(frame), count;
    Py_BEGIN_ALLOW_THREADS
    count = send_all(fds->buf, start, stop, bytes, size, shorts);
    Py_END_ALLOW_THREADS
    PyObject *list = list_of_shorts(shorts, count);
    PyMem_Free(shorts);
    return list;
}

static PyObject *send_frames(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *array, *frame;
    Py_ssize_t start, stop;
    Py_buffer fds;
    if (!PyArg_ParseTuple(args, "OnnS:send_frames", &array, &start, &stop, &frame))
        return NULL;
    /* While the buffer is held the array cannot be resized, by whatever thread. */
    if (PyObject_GetBuffer(array, &fds, PyBUF_ND | PyBUF_FORMAT) < 0)
        return NULL;
    PyObject *list = NULL;
    if (fds.ndim != 1 || strcmp(fds.format, "i") != 0)
        PyErr_SetString(PyExc_TypeError, "descriptors come as an array('i')");
    else
        list = send_to(&fds, start, stop, frame);
    PyBuffer_Release(&fds);
    return list;
}

static int fill_module(PyObject *module) {
    PyObject *type = PyType_FromModuleAndSpec(module, &tracker_spec, NULL);
    int failed = type == NULL || PyModule_AddType(module, (PyTypeObject *)type) < 0;
    Py_XDECREF(type);
    return failed ? -1 : 0;
}

static PyMethodDef functions[] = {
    {"send_frames", send_frames, METH_VARARGS, "realtime.gateway.sending.send_frames in C, without the GIL."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, fill_module}, {0, NULL}};

static PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_speedups",
    .m_doc = "The node's two inner loops in C.",
    .m_methods = functions,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__speedups(void) { return PyModuleDef_Init(&module); }
