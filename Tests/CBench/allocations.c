#include "CBench.h"

// Names the C library.
#include <stdlib.h>

#if defined(__linux__) && defined(__GLIBC__)
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

// In place of the C library's, for the whole process: the functions below are what its own have under another name.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static _Atomic long count, freed;

int cbench_counts_allocations(void) { return 1; }
long cbench_allocations(void) { return atomic_load(&count); }
long cbench_live_allocations(void) { return atomic_load(&count) - atomic_load(&freed); }

void *malloc(size_t bytes) {
    atomic_fetch_add(&count, 1);
    return __libc_malloc(bytes);
}

void *calloc(size_t number, size_t bytes) {
    atomic_fetch_add(&count, 1);
    return __libc_calloc(number, bytes);
}

void *realloc(void *memory, size_t bytes) {
    atomic_fetch_add(&count, 1);
    if (memory) atomic_fetch_add(&freed, 1);
    return __libc_realloc(memory, bytes);
}

void free(void *memory) {
    if (memory) atomic_fetch_add(&freed, 1);
    __libc_free(memory);
}

void *memalign(size_t alignment, size_t bytes) {
    atomic_fetch_add(&count, 1);
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    *memory = memalign(alignment, bytes);
    return *memory ? 0 : ENOMEM;
}
#else
int cbench_counts_allocations(void) { return 0; }
long cbench_allocations(void) { return 0; }
long cbench_live_allocations(void) { return 0; }
#endif
