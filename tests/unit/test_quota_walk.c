/* Tests the walk over a tenant's directory: it visits every entry once at any depth, with little memory,
 * and nothing outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/remove_tree.h"
#include "quota-keeper/walk.h"

struct seen {
    ino_t *inodes;
    size_t n, room;
    ino_t forbidden; /* must not be visited */
    /* The tenant moves 'from' to 'to' when a directory with this inode is visited. */
    ino_t when;
    const char *from, *to;
    int left;
};

static int setup(void **state)
{
    char path[] = "/tmp/hostlet-test-walk-XXXXXX";
    assert_non_null(mkdtemp(path));
    *state = xstrdup(path);
    return 0;
}

static int teardown(void **state)
{
    assert_int_equal(remove_tree_at(AT_FDCWD, *state, NULL), 0);
    free(*state);
    return 0;
}

static int see(void *userdata, int fd, const struct stat *st)
{
    struct seen *s = userdata;
    if (fd < 0 && fd != -ENOTSUP)
        return 0;
    assert_int_not_equal(st->st_ino, s->forbidden);
    if (s->n == s->room) {
        s->room = s->room ? s->room * 2 : 64;
        s->inodes = xrealloc(s->inodes, s->room, sizeof *s->inodes);
    }
    s->inodes[s->n++] = st->st_ino;
    if (s->left > 0 && st->st_ino == s->when) {
        s->left--;
        assert_int_equal(rename(s->from, s->to), 0);
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    ino_t x = *(const ino_t *)a, y = *(const ino_t *)b;
    return x < y ? -1 : x > y;
}

static size_t different(struct seen *s)
{
    size_t n = 0;
    if (s->n > 0)
        qsort(s->inodes, s->n, sizeof *s->inodes, compare);
    for (size_t i = 0; i < s->n; i++)
        n += i == 0 || s->inodes[i] != s->inodes[i - 1];
    return n;
}

static int open_top(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    return fd;
}

static void make(const char *top, const char *name)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", top, name);
    assert_int_equal(make_dirs(path, 0755, NULL), 0);
}

static ino_t inode_of(const char *top, const char *name)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", top, name);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_ino;
}

/* Makes a chain of 'depth' directories with a file and another directory beside each; returns the number
 * of entries. */
static size_t make_chain(const char *top, size_t depth, const char *name)
{
    int fd = open_top(top);
    for (size_t i = 0; i < depth; i++) {
        close(openat(fd, "a-file", O_WRONLY | O_CREAT, 0644));
        assert_int_equal(mkdirat(fd, "zz", 0755), 0);
        assert_int_equal(mkdirat(fd, name, 0755), 0);
        int down = openat(fd, name, O_RDONLY | O_DIRECTORY);
        close(fd);
        fd = down;
    }
    close(fd);
    return depth * 3;
}

static void test_everything_is_seen_once_at_any_depth(void **state)
{
    static const size_t windows[] = {2, 3, 4, 7, 64, WALK_WINDOW};
    size_t entries = make_chain(*state, 500, "down");
    int top = open_top(*state);
    for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
        struct seen s = {.n = 0};
        assert_int_equal(walk_below(top, windows[i], see, &s), 0);
        assert_int_equal(s.n, entries);
        assert_int_equal(different(&s), entries);
        free(s.inodes);
    }
    close(top);
}

static size_t make_branches(const char *top, int depth)
{
    if (depth == 0)
        return 0;
    size_t entries = 0;
    for (int i = 0; i < 3; i++) {
        _cleanup_free_ char *below = xasprintf("%s/%d", top, i);
        assert_int_equal(mkdir(below, 0755), 0);
        entries += 1 + make_branches(below, depth - 1);
    }
    return entries;
}

static void test_branches_beyond_the_window_are_visited_once(void **state)
{
    size_t entries = make_branches(*state, 7);
    int top = open_top(*state);
    for (size_t window = 2; window < 9; window++) {
        struct seen s = {.n = 0};
        assert_int_equal(walk_below(top, window, see, &s), 0);
        assert_int_equal(s.n, entries);
        assert_int_equal(different(&s), entries);
        free(s.inodes);
    }
    close(top);
}

static int count(void *userdata, int fd, const struct stat *st)
{
    (void)fd, (void)st;
    struct seen *s = userdata;
    s->n++;
    s->room = mallinfo2().uordblks > s->room ? mallinfo2().uordblks : s->room;
    return 0;
}

static void test_memory_does_not_grow_with_depth(void **state)
{
    /* names of 255 bytes: a path of 2.5 MB */
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    size_t entries = make_chain(*state, 10000, name), before = mallinfo2().uordblks;
    struct seen s = {.n = 0};
    int top = open_top(*state);
    assert_int_equal(walk_below(top, 256, count, &s), 0);
    close(top);
    assert_int_equal(s.n, entries);
    assert_true(s.room - before < 64 << 10);
}

static void test_a_directory_that_is_moved_hides_nothing_else(void **state)
{
    const char *top = *state;
    make(top, "in/aa/bb/cc");
    make(top, "in/aa/bb/dd");
    make(top, "in/aa/ee/ff");
    make(top, "in/gg");
    make(top, "zz");
    _cleanup_free_ char *from = xasprintf("%s/in/aa/bb", top), *to = xasprintf("%s/zz/bb", top);
    struct seen s = {.when = inode_of(top, "in/aa/bb/cc"), .from = from, .to = to, .left = 1};
    int fd = open_top(top);
    assert_int_equal(walk_below(fd, WALK_WINDOW, see, &s), WALK_MOVED);
    assert_int_equal(s.left, 0);
    assert_int_equal(different(&s), 9); /* all of them in one walk, in spite of the move */
    s.n = 0;
    assert_int_equal(walk_below(fd, WALK_WINDOW, see, &s), 0);
    assert_int_equal(different(&s), 9);
    close(fd);
    free(s.inodes);
}

static void test_the_way_up_never_leads_out(void **state)
{
    /* 'in' is the top. While the walk is deep in it, a directory on its way is moved up, so that as many
     * steps upward lead out. */
    const char *base = *state;
    make(base, "outside/secret");
    make(base, "in/1/2/3/4/5/6/7/8/9");
    _cleanup_free_ char *in = xasprintf("%s/in", base), *from = xasprintf("%s/in/1/2/3/4/5/6", base),
                        *to = xasprintf("%s/in/6", base);
    for (size_t window = 2; window < 12; window++) {
        struct seen s = {.forbidden = inode_of(base, "outside"),
                         .when = inode_of(base, "in/1/2/3/4/5/6/7/8"),
                         .from = from,
                         .to = to,
                         .left = 1};
        int fd = open_top(in);
        assert_int_equal(walk_below(fd, window, see, &s), WALK_MOVED);
        assert_int_equal(s.left, 0);
        close(fd);
        free(s.inodes);
        assert_int_equal(rename(to, from), 0);
    }
}

static int stop(void *userdata, int fd, const struct stat *st)
{
    (void)fd, (void)st;
    struct seen *s = userdata;
    return ++s->n == 3 ? -ECANCELED : 0;
}

static void test_a_negative_result_ends_the_walk(void **state)
{
    make_branches(*state, 3);
    struct seen s = {.n = 0};
    int top = open_top(*state);
    assert_int_equal(walk_below(top, WALK_WINDOW, stop, &s), -ECANCELED);
    assert_int_equal(s.n, 3);
    close(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_everything_is_seen_once_at_any_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_branches_beyond_the_window_are_visited_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_does_not_grow_with_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_that_is_moved_hides_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_way_up_never_leads_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_negative_result_ends_the_walk, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
