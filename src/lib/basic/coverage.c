/* Lets processes of different users add to the same coverage counters. Only builds with --enable-coverage
 * contain it; there the linker adds it to every program. */
#include <sys/stat.h>

/* Clears the file mode creation mask at exit, before gcov's own destructor creates the .gcda files:
 * another user's process may be the next that adds to them. */
__attribute__((destructor)) void coverage_share_files(void);
void coverage_share_files(void)
{
    umask(0);
}
