#pragma once

/// Allocations of this process so far, of every thread: calls of malloc, calloc, realloc and the aligned ones. -1 where
/// they cannot be counted: elsewhere than with glibc.
long callocations_count(void);
