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

#endif
