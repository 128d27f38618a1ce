# cython: language_level=3, embedsignature=False
"""The write-ahead log of SQLite, written in one piece for each transaction, and brought into the file in few.

By itself SQLite writes two pieces for each page of a transaction, a header of 24 bytes and the page, one system call
each. They come in the order in which they stand in the file, so here they are put together until the page comes that
completes the transaction; then all of them are written, before SQLite has them synchronized and before anybody is told
that they are there. Everything else is done by the file system layer ("VFS") that SQLite has anyway, which is also who
writes. See sqlite.org, "The OS Interface" and "WAL-mode File Format".

A transaction that does not fit into the page cache writes pages before it is complete, and headers once more in the end.
Its own connection may read them again, so whatever asks for the log gets what was put together written first; and so
does whoever gives the right to write back, as another process may write at this place from then on.

A checkpoint writes pages in the order in which they stand in the file, and says that they are there when it has had the
file synchronized. Here neighbours are put together as well, and what has been written is synchronized in between: a disk
that is given many pages at once lets the transactions of others wait for all of them.

Long files are mapped into memory, log and database, so that reading a page is no system call. It
is copied from there all the same: what SQLite works with never changes or goes away under it. Where a part of a mapped
file is gone it is read by the system instead, which has an error for it.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from ocsgw.speedups.guarding cimport can_guard, guard, unguard

cdef extern from *:
    const char *OCSGW_SOURCES

cdef extern from "dlfcn.h" nogil:
    enum:
        RTLD_LAZY
    void *dlopen(const char *, int)
    void *dlsym(void *, const char *)

SOURCES = OCSGW_SOURCES.decode("ascii")

cdef enum:
    OK = 0
    VERSION = 3
    # sqlite3.h: kinds of files, and the lock of one who writes.
    OPEN_MAIN = 0x100
    OPEN_WAL = 0x80000
    SYNC_NORMAL = 2
    SYNC_DATA = 0x10
    SHM_UNLOCK = 1
    SHM_LOCK = 2
    SHM_EXCLUSIVE = 8
    # How much of a file may be mapped; how long it will be, for which the layer below maps it, and makes it so long.
    MAP_LIMIT = 18
    SIZE_HINT = 5
    WRITE_LOCK = 0
    CHECKPOINT_LOCK = 1
    # The index of the log comes in such pieces; at this place of the first one it has how much of the log is in the file.
    INDEX_PIECE = 32768
    BROUGHT = 96
    # Before each page; bytes 4 to 7 are not 0 before the one that completes a transaction.
    FRAME_HEADER = 24
    # So much is put together at most, as the layer for Unix writes no more bytes at a time; pages have up to 65,536.
    ROOM = 131071
    # The file grows in such steps.
    STEP = 262144
    # So much of a database file is written at most before it is synchronized.
    AT_ONCE = 4194304
    ZEROS = 65536

# The structures of sqlite3.h in their version 3; SQLite never changes what a version has.

cdef struct File:
    const Methods *methods

cdef struct Methods:
    int version
    int (*close)(File *) noexcept nogil
    int (*read)(File *, void *, int, int64_t) noexcept nogil
    int (*write)(File *, const void *, int, int64_t) noexcept nogil
    int (*truncate)(File *, int64_t) noexcept nogil
    int (*sync)(File *, int) noexcept nogil
    int (*size)(File *, int64_t *) noexcept nogil
    int (*lock)(File *, int) noexcept nogil
    int (*unlock)(File *, int) noexcept nogil
    int (*check_reserved_lock)(File *, int *) noexcept nogil
    int (*control)(File *, int, void *) noexcept nogil
    int (*sector_size)(File *) noexcept nogil
    int (*characteristics)(File *) noexcept nogil
    int (*shm_map)(File *, int, int, int, void **) noexcept nogil
    int (*shm_lock)(File *, int, int, int) noexcept nogil
    void (*shm_barrier)(File *) noexcept nogil
    int (*shm_unmap)(File *, int) noexcept nogil
    int (*fetch)(File *, int64_t, int, void **) noexcept nogil
    int (*unfetch)(File *, int64_t, void *) noexcept nogil

cdef struct Vfs:
    int version
    int file_size
    int longest_path
    Vfs *next
    const char *name
    void *data
    int (*open)(Vfs *, const char *, File *, int, int *) noexcept nogil
    void *others[15]

ctypedef Vfs *(*FindVfs)(const char *) noexcept nogil
ctypedef int (*RegisterVfs)(Vfs *, int) noexcept nogil
ctypedef File *(*DatabaseOf)(const char *) noexcept nogil

# Behind each file of the layer below.
cdef struct Behind:
    const Methods *below
    Methods methods
    # Of a database file its log, and of a log its database file, while it is open.
    File *other
    bint is_log
    # What was put together, and where it begins in the file.
    uint8_t *room
    int64_t begin
    int size
    # Of a log: whether that completes a transaction, and how long the file is at least, 0 where nobody has looked.
    bint is_last
    int64_t length
    # Of a database file: how much was written since it was synchronized, the error of a write that was not told, and
    # how many frames of the log it had before the checkpoint.
    int64_t unsynced
    int failed
    uint32_t brought
    # Where one has to read for the file to be mapped, or mapped anew.
    int64_t map_from

cdef uint8_t _zeros[ZEROS]
cdef Vfs _ours
cdef Vfs *_below = NULL
cdef DatabaseOf _database_of = NULL
cdef int64_t _map_limit = 0
# Shorter files are not mapped: most of their pages are in the page cache, and the memory of a process that has little to
# do stays small.
cdef int64_t _shortest_mapped = 33554432


cdef inline Behind *_behind(File *file) noexcept nogil:
    return <Behind *> (<uint8_t *> file + _ours.file_size - sizeof(Behind))


cdef int _write_out(File *file) noexcept nogil:
    """Write what was put together. Where that fails SQLite undoes the transaction, or gives the checkpoint up."""
    cdef Behind *behind = _behind(file)
    cdef int size = behind.size
    if not size:
        return OK
    behind.size = 0
    behind.is_last = False
    cdef int result = behind.below.write(file, behind.room, size, behind.begin)
    if result != OK:
        return result
    if behind.is_log:
        if behind.begin + size > behind.length:
            _lengthen(file, behind.begin + size)
        return OK
    behind.unsynced += size
    if behind.unsynced < AT_ONCE:
        return OK
    behind.unsynced = 0
    return behind.below.sync(file, SYNC_NORMAL | SYNC_DATA)


cdef void _lengthen(File *file, int64_t end) noexcept nogil:
    """Let a file that ends there grow further, so that the next transactions find it long enough.

    A disk takes more time for a file that has grown than for one with new content alone.
    """
    cdef Behind *log = _behind(file)
    cdef int64_t length = 0
    if log.below.size(file, &length) != OK or length > end:
        log.length = length
        return
    log.length = end + STEP
    while end < log.length:
        # On a full disk the file stays as it is, and the next transaction says so.
        if log.below.write(file, _zeros, ZEROS, end) != OK:
            return
        end += ZEROS


cdef int _make_way(File *file, int amount, int64_t offset) noexcept nogil:
    """Write what was put together, unless this goes on behind it."""
    cdef Behind *behind = _behind(file)
    if behind.size and (offset != behind.begin + behind.size or behind.size + amount > ROOM):
        return _write_out(file)
    return OK


cdef void _put_together(File *file, const void *data, int amount, int64_t offset) noexcept nogil:
    cdef Behind *behind = _behind(file)
    if not behind.size:
        behind.begin = offset
    memcpy(behind.room + behind.size, data, amount)
    behind.size += amount


cdef int _write_log(File *file, const void *data, int amount, int64_t offset) noexcept nogil:
    cdef Behind *log = _behind(file)
    cdef int result = _make_way(file, amount, offset)
    if result != OK:
        return result
    if log.room == NULL and amount == FRAME_HEADER:
        log.room = <uint8_t *> malloc(ROOM)
    if log.room == NULL or amount > ROOM or not log.size and amount != FRAME_HEADER:
        return log.below.write(file, data, amount, offset)
    _put_together(file, data, amount, offset)
    if amount == FRAME_HEADER:
        log.is_last = (<const int *> data)[1] != 0
        return OK
    return _write_out(file) if log.is_last else OK


cdef int _write_page(File *file, const void *data, int amount, int64_t offset) noexcept nogil:
    """With a log only checkpoints write into a database file."""
    cdef Behind *database = _behind(file)
    cdef int result = _untold(file)
    if result == OK:
        result = _make_way(file, amount, offset)
    if result != OK:
        return result
    if database.room == NULL and database.other != NULL:
        database.room = <uint8_t *> malloc(ROOM)
    if database.room == NULL or database.other == NULL or amount > ROOM:
        return database.below.write(file, data, amount, offset)
    _put_together(file, data, amount, offset)
    return OK


cdef int _untold(File *file) noexcept nogil:
    """Return the error of a write that could not be told when it came."""
    cdef int failed = _behind(file).failed
    _behind(file).failed = OK
    return failed


cdef int _written(File *file) noexcept nogil:
    """Write what was put together; return its error, or one before."""
    cdef int result = _write_out(file)
    cdef int failed = _untold(file)
    return failed if failed != OK else result


cdef int _read(File *file, void *data, int amount, int64_t offset) noexcept nogil:
    cdef int result = _write_out(file)
    cdef Behind *behind = _behind(file)
    if result != OK:
        return result
    if offset + amount > behind.map_from:
        _map(file)
    # The layer below copies from what is mapped.
    guard()
    result = behind.below.read(file, data, amount, offset)
    if not unguard():
        return result
    _unmap(file)
    return behind.below.read(file, data, amount, offset)


cdef void _map(File *file) noexcept nogil:
    """Map a file that is long, or has grown by a quarter since: what was read in between has to be found anew."""
    cdef Behind *behind = _behind(file)
    cdef int64_t size = 0
    cdef void *place = NULL
    if behind.below.size(file, &size) != OK:
        return
    _unmap(file)
    behind.map_from = size + size // 4
    if size < _shortest_mapped:
        behind.map_from = _shortest_mapped - 1
    elif behind.below.fetch(file, 0, 1, &place) == OK and place != NULL:
        behind.below.unfetch(file, 0, place)


cdef void _unmap(File *file) noexcept nogil:
    _behind(file).below.unfetch(file, 0, NULL)


cdef int _fetch(File *file, int64_t offset, int amount, void **place) noexcept nogil:
    """Some ask for pages where they are mapped; they get none, and read."""
    place[0] = NULL
    return OK


cdef int _truncate(File *file, int64_t size) noexcept nogil:
    """Checkpoints have a database file cut to the length that it has, for which Linux takes as long as for another."""
    cdef Behind *behind = _behind(file)
    cdef int result = _written(file)
    cdef int64_t length = 0
    behind.length = 0
    if result != OK or not behind.is_log and behind.below.size(file, &length) == OK and length == size:
        return result
    _unmap(file)
    behind.map_from = 0
    return behind.below.truncate(file, size)


cdef int _sync(File *file, int how) noexcept nogil:
    cdef int result = _written(file)
    _behind(file).unsynced = 0
    return result if result != OK else _behind(file).below.sync(file, how)


cdef int _size(File *file, int64_t *size) noexcept nogil:
    cdef int result = _write_out(file)
    return result if result != OK else _behind(file).below.size(file, size)


cdef int _control(File *file, int what, void *argument) noexcept nogil:
    """SQLite tells the end of a checkpoint like this, and does not look at what comes back."""
    if what == MAP_LIMIT or what == SIZE_HINT:
        # Whether it is mapped is decided here; the limit of SQLite is for pages that are not copied.
        return OK
    cdef int result = _write_out(file)
    if result != OK:
        _behind(file).failed = result
    return _behind(file).below.control(file, what, argument)


cdef int _close_log(File *file) noexcept nogil:
    _behind(_behind(file).other).other = NULL
    return _close(file)


cdef int _close(File *file) noexcept nogil:
    free(_behind(file).room)
    _behind(file).room = NULL
    return _behind(file).below.close(file)


cdef int _shm_lock(File *file, int first, int count, int how) noexcept nogil:
    cdef Behind *database = _behind(file)
    cdef uint32_t *brought
    cdef int result
    if first == WRITE_LOCK and how == (SHM_UNLOCK | SHM_EXCLUSIVE) and database.other != NULL:
        _write_out(database.other)
    if first == CHECKPOINT_LOCK and how == (SHM_UNLOCK | SHM_EXCLUSIVE) and _written(file) != OK:
        # A checkpoint of a part of the log, which neither cuts nor synchronizes the file, was not told that its last
        # pages could not be written. So they are in the log alone, and it has to be said so before another one begins.
        brought = _brought(file)
        if brought != NULL:
            brought[0] = database.brought
    result = database.below.shm_lock(file, first, count, how)
    if result == OK and first == CHECKPOINT_LOCK and how == (SHM_LOCK | SHM_EXCLUSIVE):
        brought = _brought(file)
        database.brought = brought[0] if brought != NULL else 0
    return result


cdef uint32_t *_brought(File *file) noexcept nogil:
    """Return where the index has how many frames are in the file (sqlite.org, "WAL-mode File Format", nBackfill)."""
    cdef void *index = NULL
    if _behind(file).below.shm_map(file, 0, INDEX_PIECE, 0, &index) != OK or index == NULL:
        return NULL
    return <uint32_t *> (<uint8_t *> index + BROUGHT)


cdef int _open(Vfs *vfs, const char *name, File *file, int flags, int *out_flags) noexcept nogil:
    cdef int result = _below.open(_below, name, file, flags, out_flags)
    cdef Behind *behind = _behind(file)
    cdef File *database
    cdef int64_t limit = _map_limit
    if result != OK or not flags & (OPEN_MAIN | OPEN_WAL) or file.methods.version < VERSION:
        return result
    behind.below = file.methods
    behind.methods = file.methods[0]
    behind.methods.version = VERSION
    behind.other = NULL
    behind.is_log = not flags & OPEN_MAIN
    behind.room = NULL
    behind.size = 0
    behind.is_last = False
    behind.length = 0
    behind.unsynced = 0
    behind.failed = OK
    behind.brought = 0
    behind.map_from = 0
    behind.below.control(file, MAP_LIMIT, &limit)
    if behind.is_log:
        database = _database_of(name)
        if database == NULL or database.methods != &_behind(database).methods:
            return result
        _behind(database).other = file
        behind.other = database
        behind.methods.close = _close_log
        behind.methods.write = _write_log
    else:
        behind.methods.close = _close
        behind.methods.write = _write_page
        behind.methods.control = _control
        behind.methods.shm_lock = _shm_lock
    behind.methods.read = _read
    behind.methods.fetch = _fetch
    behind.methods.truncate = _truncate
    behind.methods.sync = _sync
    behind.methods.size = _size
    file.methods = &behind.methods
    return result


def map_from(int64_t size):
    """Map files of so many bytes and more; return how many it were before. Those that are open keep what they have."""
    global _shortest_mapped
    before = _shortest_mapped
    _shortest_mapped = size
    return before


def register(bytes library):
    """Offer the layer to the SQLite that a library uses, by its path, or this program (None); return whether it takes it.

    A connection has the layer with `vfs=ocsgw` in its URI.
    """
    global _below, _database_of, _map_limit, _ours
    if _below != NULL:
        return True
    cdef void *handle = dlopen(<const char *> library if library is not None else NULL, RTLD_LAZY)
    if handle == NULL:
        return False
    cdef FindVfs find = <FindVfs> dlsym(handle, "sqlite3_vfs_find")
    cdef RegisterVfs add = <RegisterVfs> dlsym(handle, "sqlite3_vfs_register")
    _database_of = <DatabaseOf> dlsym(handle, "sqlite3_database_file_object")
    if find == NULL or add == NULL or _database_of == NULL:
        return False
    cdef Vfs *below = find(NULL)
    if below == NULL or below.version < VERSION:
        return False
    _ours = below[0]
    _ours.version = VERSION
    _ours.name = "ocsgw"
    _ours.open = _open
    # Files lie at multiples of 8.
    _ours.file_size = ((below.file_size + 7) & ~7) + sizeof(Behind)
    _below = below
    if can_guard():
        # SQLite has a limit of its own as well, usually 2 GiB.
        _map_limit = <int64_t> 1 << 46
    if add(&_ours, 0) != OK:
        _below = NULL
        return False
    return True
