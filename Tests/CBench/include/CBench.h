#pragma once

// What Swift's module of the C library leaves out.
#include <sys/epoll.h>

/// Whether allocations can be counted: with glibc.
int cbench_counts_allocations(void);

/// Allocations that have not been freed.
long cbench_live_allocations(void);

/// Allocations of this process so far, of every thread: calls of malloc, calloc, realloc and the aligned ones.
long cbench_allocations(void);

/// The sum of `count` floats, a multiple of 256, read in order with the widest registers there are.
float cbench_sum(const float *floats, long count);

/// Whether the calling thread may run on a processor, 0 to 1023.
int cbench_allows_processor(int processor);

/// Has the calling thread run on one processor alone.
void cbench_stay_on(int processor);
