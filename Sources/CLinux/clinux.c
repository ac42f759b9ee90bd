#include "clinux.h"

#ifdef __linux__
#include <sys/prctl.h>

void clinux_set_timer_slack(unsigned long nanoseconds) { prctl(PR_SET_TIMERSLACK, nanoseconds); }
#else
void clinux_set_timer_slack(unsigned long nanoseconds) { (void)nanoseconds; }
#endif
