#include "CAllocations.h"

#if defined(__linux__) && defined(__GLIBC__)
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

// In place of the C library's, for the whole process: the functions below are what its own have under another name.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static _Atomic long count;

long callocations_count(void) { return atomic_load(&count); }

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
    return __libc_realloc(memory, bytes);
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
long callocations_count(void) { return -1; }
#endif
