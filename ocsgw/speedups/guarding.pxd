# cython: language_level=3
"""Reading what is mapped into memory, of which a part may be gone: a disk that fails, a file that was cut short.

The system then sends SIGBUS, which ends a process. Between `guard` and `unguard` it does not: the thread finds zeros in
that page, and `unguard` says that it did. Whoever reads gives the mapping up then, and reads in another way. What is
copied from there into memory of the process is all that may be done between the two.
"""

cdef extern from * nogil:
    """
    #include <errno.h>
    #include <signal.h>
    #include <stdint.h>
    #include <sys/mman.h>
    #include <unistd.h>

    /* Whether this thread reads at the moment, and whether a page was missing. */
    static __thread volatile int ocsgw_is_reading = 0;
    static __thread volatile int ocsgw_is_missing = 0;
    static struct sigaction ocsgw_before;
    static uintptr_t ocsgw_page = 0;

    static void ocsgw_no_page(int number, siginfo_t *what, void *context)
    {
        uintptr_t page = (uintptr_t) what->si_addr & ~(ocsgw_page - 1);
        int error = errno;
        (void) context;
        if (what->si_code > 0 && ocsgw_is_reading
            && mmap((void *) page, ocsgw_page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
               != MAP_FAILED) {
            ocsgw_is_missing = 1;
            errno = error;
            return;
        }
        /* It is not ours: what was there before is asked, by the same fault, or once more by whoever sent it. */
        sigaction(SIGBUS, &ocsgw_before, NULL);
        if (what->si_code <= 0)
            raise(number);
        errno = error;
    }

    static int ocsgw_can_guard(void)
    {
        struct sigaction action;
        if (ocsgw_page)
            return 1;
        action.sa_sigaction = ocsgw_no_page;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigemptyset(&action.sa_mask);
        if (sigaction(SIGBUS, &action, &ocsgw_before))
            return 0;
        ocsgw_page = (uintptr_t) sysconf(_SC_PAGESIZE);
        return 1;
    }

    static inline void ocsgw_guard(void)
    {
        ocsgw_is_missing = 0;
        ocsgw_is_reading = 1;
        /* The compiler must not move what is read before this. */
        __asm__ __volatile__("" ::: "memory");
    }

    static inline int ocsgw_unguard(void)
    {
        __asm__ __volatile__("" ::: "memory");
        ocsgw_is_reading = 0;
        return ocsgw_is_missing;
    }
    """
    # Whether this process can be guarded; asked once, before anything is.
    int can_guard "ocsgw_can_guard"()
    void guard "ocsgw_guard"()
    int unguard "ocsgw_unguard"()
