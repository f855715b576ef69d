/* Lets processes of different users add to the same counters; in builds with --enable-coverage alone, where
 * the linker takes it into every program. */
#include <sys/stat.h>

/* Removes the file mode creation mask. It runs at exit, before gcov's own destructor creates the .gcda files:
 * the next process that adds to them can be another user's. */
__attribute__((destructor)) void coverage_share_files(void);
void coverage_share_files(void)
{
    umask(0);
}
