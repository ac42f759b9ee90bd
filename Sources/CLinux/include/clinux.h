// Calls of Linux that Swift cannot import because they take a varying number of arguments.
#ifndef CLINUX_H
#define CLINUX_H

/// Lets the calling thread's timers be at most `nanoseconds` late; 0 is the system's default, 50 µs.
void clinux_set_timer_slack(unsigned long nanoseconds);

/// Names the calling thread for tools that list threads; 15 bytes are kept.
void clinux_set_thread_name(const char *name);

#endif
