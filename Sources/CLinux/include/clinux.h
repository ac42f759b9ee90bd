// Calls of Linux that Swift cannot import: those that take a varying number of arguments, and extensions of glibc.
#ifndef CLINUX_H
#define CLINUX_H

#include <spawn.h>

/// Lets the calling thread's timers be at most `nanoseconds` late; 0 is the system's default, 50 µs.
void clinux_set_timer_slack(unsigned long nanoseconds);

/// Lets a spawned program have no descriptor from `first` on.
int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int first);

/// Names the calling thread for tools that list threads; 15 bytes are kept.
void clinux_set_thread_name(const char *name);

/// Locks one byte of a file for as long as `descriptor` is open, which is until the process ends, however it ends. The byte
/// need not be there. 0, or -1 when another holds it or the file cannot be locked so.
int clinux_hold_byte(int descriptor, long offset);

/// Whether another descriptor holds that byte: 1 or 0, or -1 when that cannot be told.
int clinux_is_byte_held(int descriptor, long offset);

/// A pipe whose ends no program has that is started later, unless it is given one: 0, or -1 with `errno`.
int clinux_pipe(int ends[2]);

#endif
