/* Tests the publication of packages: a tree that an attacker made, and keeps changing, either becomes root's
 * or is a_hostile_tree_is_refused.
 *
 * The attacker is the unpacker's user: it owns everything that is staged, and keeps any descriptors it
 * wants. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/remove_tree.h"
#include "package_fixture.h"
#include "provisioner/packages.h"

#define UNPACKER 54321
#define OTHER    54322
#define NAME     "Demo" /* ids are in lower case; the staged directory has the name's own case */
#define ID       "demo_1.0.0_linux_amd64"
#define KEY      "Demo_1.0.0_linux_amd64"
#define ENTRIES  1000

struct fixture {
    char *path; /* path of the store */
    int store, staging, tree;
    int held; /* a descriptor that the attacker keeps; −1: none */
    void *mapped;
};

/* Runs 'act' in a process of the unpacker's user and returns its exit status. */
static int as_unpacker(int (*act)(void *userdata), void *userdata)
{
    pid_t child = fork();
    if (child == 0) {
        bool done =
            setresgid(UNPACKER, UNPACKER, UNPACKER) == 0 && setresuid(UNPACKER, UNPACKER, UNPACKER) == 0;
        _exit(done ? act(userdata) : 99);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void write_at(int dir, const char *name, mode_t mode)
{
    _cleanup_close_ int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "content\n", 8) != 8 || fchmod(fd, mode) < 0)
        _exit(98);
}

/* Makes a package's tree as the unpacker makes it, with modes and links that are worse than usual. */
static int make_tree(void *userdata)
{
    const struct fixture *f = userdata;
    umask(0);
    if (mkdirat(f->staging, KEY, 0755) < 0 || mkdirat(f->staging, KEY "/bin", 0777) < 0 ||
        mkdirat(f->staging, KEY "/bin/deep", 02700) < 0 || mkdirat(f->staging, KEY "/closed", 0000) < 0)
        return 1;
    write_at(f->staging, KEY "/bin/tool", 06777);
    write_at(f->staging, KEY "/bin/deep/file", 0640);
    write_at(f->staging, KEY "/readme", 0444);
    return symlinkat("../../../etc/passwd", f->staging, KEY "/bin/link") < 0 ||
           symlinkat("/", f->staging, KEY "/root") < 0;
}

static struct fixture fixture_make(void)
{
    struct fixture f = {scratch_make(), -1, -1, -1, -1, NULL};
    assert_int_equal(chmod(f.path, 0755), 0);
    f.store = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(f.store, ".staging", 0700), 0);
    assert_int_equal(fchownat(f.store, ".staging", UNPACKER, UNPACKER, 0), 0);
    f.staging = openat(f.store, ".staging", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f.staging >= 0);
    assert_int_equal(as_unpacker(make_tree, &f), 0);
    f.tree = openat(f.staging, KEY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f.tree >= 0);
    return f;
}

static void fixture_remove(struct fixture *f)
{
    close_fd(f->held);
    if (f->mapped)
        munmap(f->mapped, 4096);
    close(f->tree);
    close(f->staging);
    close(f->store);
    scratch_remove(f->path);
}

static int publish(const struct fixture *f, struct error *e)
{
    bool hidden;
    *e = (struct error)ERROR_INIT;
    return packages_publish(f->path, NAME, ID, ENTRIES, &hidden, e);
}

static void delete_all(const struct fixture *f)
{
    struct error e = ERROR_INIT;
    unsigned deleted;
    _cleanup_free_ char *publishing = xasprintf("%s/.publishing", f->path);
    assert_int_equal(packages_delete(f->path, &deleted, &e) < 0, 0);
    assert_int_equal(count_names(publishing), 0);
}

static struct stat stat_of(const struct fixture *f, const char *name)
{
    struct stat st;
    if (fstatat(f->store, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        fail_msg("%s: %s", name, strerror(errno));
    return st;
}

/* Asserts that everything below an open directory belongs to root and that other users cannot write to it. */
static void assert_all_ours(int dir)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = fdopendir(copy);
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d));) {
        struct stat st;
        if (streq(entry->d_name, ".."))
            continue;
        assert_int_equal(fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
        if (st.st_uid != 0 || st.st_gid != 0 || (!S_ISLNK(st.st_mode) && st.st_mode & 07022))
            fail_msg("'%s' belongs to %u:%u, mode %04o", entry->d_name, st.st_uid, st.st_gid,
                     st.st_mode & 07777);
        if (S_ISDIR(st.st_mode) && !streq(entry->d_name, ".")) {
            _cleanup_close_ int below = openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
            assert_all_ours(below);
        }
    }
}

static void assert_published(const struct fixture *f)
{
    _cleanup_close_ int dir = openat(f->store, NAME "/" ID, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    assert_true(dir >= 0);
    assert_all_ours(dir);
    assert_int_equal(stat_of(f, NAME).st_uid, 0);
    assert_int_equal(stat_of(f, NAME).st_mode, S_IFDIR | 0755);
}

static bool needs_root(const char *test)
{
    if (geteuid() == 0)
        return false;
    print_message("skip %s: it gives files to other users, which takes root\n", test);
    return true;
}

static void a_package_becomes_roots_own_once(void **state)
{
    (void)state;
    if (needs_root("a_package_becomes_roots_own_once"))
        skip();
    struct fixture f = fixture_make();
    struct error e;
    if (publish(&f, &e) < 0)
        fail_msg("%s", e.message);
    assert_published(&f);
    assert_int_equal(stat_of(&f, NAME "/" ID "/bin").st_mode, S_IFDIR | 0755);
    assert_int_equal(stat_of(&f, NAME "/" ID "/bin/deep").st_mode, S_IFDIR | 0700);
    assert_int_equal(stat_of(&f, NAME "/" ID "/closed").st_mode, S_IFDIR | 0700);
    assert_int_equal(stat_of(&f, NAME "/" ID "/bin/tool").st_mode, S_IFREG | 0755);
    assert_int_equal(stat_of(&f, NAME "/" ID "/bin/deep/file").st_mode, S_IFREG | 0640);
    assert_int_equal(stat_of(&f, NAME "/" ID "/readme").st_mode, S_IFREG | 0444);
    assert_true(S_ISLNK(stat_of(&f, NAME "/" ID "/root").st_mode));
    assert_int_equal(stat_of(&f, ".publishing").st_mode, S_IFDIR | 0700);
    /* A second publication succeeds, and the tree that was staged again is removed. */
    ino_t before = stat_of(&f, NAME "/" ID).st_ino;
    assert_int_equal(as_unpacker(make_tree, &f), 0);
    assert_int_equal(publish(&f, &e), 0);
    assert_int_equal(stat_of(&f, NAME "/" ID).st_ino, before);
    _cleanup_free_ char *staging = xasprintf("%s/.staging", f.path), *names = xasprintf("%s/" NAME, f.path);
    assert_int_equal(count_names(staging), 0);
    delete_all(&f);
    bool hidden;
    assert_int_equal(packages_unpublish(f.path, NAME, ID, &hidden, &e), 0);
    assert_true(hidden);
    assert_int_equal(count_names(names), 0);
    delete_all(&f);
    assert_int_equal(packages_unpublish(f.path, NAME, ID, &hidden, &e), 0);
    assert_false(hidden);
    assert_int_equal(publish(&f, &e), -ENOENT);
    assert_int_equal(e.class, ERROR_RETRY);
    fixture_remove(&f);
}

/* --- trees that are a_hostile_tree_is_refused --- */

static bool with_writer(struct fixture *f)
{
    f->held = openat(f->tree, "bin/tool", O_WRONLY | O_CLOEXEC);
    return f->held >= 0;
}

static bool with_mapping(struct fixture *f)
{
    _cleanup_close_ int fd = openat(f->tree, "bin/tool", O_RDWR | O_CLOEXEC);
    f->mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return f->mapped != MAP_FAILED;
}

static bool with_lease(struct fixture *f)
{
    f->held = openat(f->tree, "bin/tool", O_RDONLY | O_CLOEXEC);
    signal(SIGIO, SIG_IGN);
    return fcntl(f->held, F_SETLEASE, F_WRLCK) == 0;
}

static bool with_link_outside(struct fixture *f)
{
    return linkat(f->tree, "bin/tool", f->staging, "outside", 0) == 0;
}

static bool with_link_to_outside(struct fixture *f)
{
    _cleanup_close_ int fd = openat(f->store, "secret", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fchown(fd, OTHER, OTHER) == 0 && linkat(f->store, "secret", f->tree, "bin/secret", 0) == 0;
}

static bool with_link_inside(struct fixture *f)
{
    return linkat(f->tree, "bin/tool", f->tree, "tool", 0) == 0;
}

static bool with_link_of_link(struct fixture *f)
{
    return linkat(f->tree, "bin/link", f->staging, "outside", 0) == 0;
}

static bool with_fifo(struct fixture *f)
{
    return mkfifoat(f->tree, "bin/fifo", 0666) == 0 &&
           fchownat(f->tree, "bin/fifo", UNPACKER, UNPACKER, 0) == 0;
}

static bool with_device(struct fixture *f)
{
    return mknodat(f->tree, "bin/null", S_IFCHR | 0666, makedev(1, 3)) == 0;
}

static bool with_socket(struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/socket", f->tree);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
}

static bool with_another_owner(struct fixture *f)
{
    return fchownat(f->tree, "readme", OTHER, OTHER, 0) == 0;
}

static bool with_another_owner_of_a_directory(struct fixture *f)
{
    return fchownat(f->tree, "bin/deep", OTHER, OTHER, 0) == 0;
}

static bool with_too_many(struct fixture *f)
{
    for (int i = 0; i < ENTRIES; i++) {
        char name[32];
        snprintf(name, sizeof name, "f%d", i);
        _cleanup_close_ int fd = openat(f->tree, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || fchown(fd, UNPACKER, UNPACKER) < 0)
            return false;
    }
    return true;
}

/* Makes a tree whose deepest path exceeds PATH_MAX. */
static bool with_depth(struct fixture *f)
{
    char name[201];
    memset(name, 'd', sizeof name - 1);
    name[200] = '\0';
    int dir = openat(f->tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 25; i++) {
        if (mkdirat(dir, name, 0755) < 0 || fchownat(dir, name, UNPACKER, UNPACKER, 0) < 0)
            return false;
        int below = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(dir);
        dir = below;
    }
    close(dir);
    return true;
}

static bool set_project(int fd, uint32_t id, uint32_t flags)
{
    struct fsxattr x;
    if (ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0)
        return false;
    x.fsx_projid = id;
    x.fsx_xflags |= flags;
    return ioctl(fd, FS_IOC_FSSETXATTR, &x) == 0;
}

static bool with_project(struct fixture *f)
{
    _cleanup_close_ int fd = openat(f->tree, "bin/tool", O_RDONLY | O_CLOEXEC);
    return set_project(fd, 12345, 0);
}

static bool with_inherited_project(struct fixture *f)
{
    _cleanup_close_ int fd = openat(f->tree, "bin/deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return set_project(fd, 0, FS_XFLAG_PROJINHERIT);
}

static bool with_mount(struct fixture *f)
{
    _cleanup_free_ char *path = xasprintf("%s/.staging/" KEY "/bin/deep", f->path);
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", path, "tmpfs", 0, NULL) == 0 &&
           (f->held = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0;
}

static const struct {
    const char *name;
    bool (*make)(struct fixture *f);
    const char *message;
    bool optional; /* not every filesystem or machine can make it */
} hostile[] = {
    {"a descriptor open for writing", with_writer, "'bin/tool' is open for writing", false},
    {"a writable shared mapping", with_mapping, "'bin/tool' is open for writing", false},
    {"a lease", with_lease, "'bin/tool' is held by a lease", false},
    {"a link outside", with_link_outside, "'bin/tool' has a second link", false},
    {"a link to another user's file", with_link_to_outside, "'bin/secret' belongs to another user", false},
    {"a link inside", with_link_inside, "has a second link", false},
    {"a second link of a symbolic link", with_link_of_link, "'bin/link' has a second link", false},
    {"a fifo", with_fifo, "'bin/fifo' is neither a file", false},
    {"a device", with_device, "'bin/null' is neither a file", true},
    {"a socket", with_socket, "'socket' is neither a file", false},
    {"another user's file", with_another_owner, "'readme' belongs to another user", false},
    {"another user's directory", with_another_owner_of_a_directory, "'bin/deep' belongs to another user",
     false},
    {"too many entries", with_too_many, "so many entries are not allowed", false},
    {"too deep a tree", with_depth, "has a path that is too long", false},
    {"a foreign project", with_project, "'bin/tool' is charged to disk project 12345", true},
    {"an inherited project", with_inherited_project,
     "'bin/deep' is charged to disk project 0, as what is made", true},
    {"a mount point", with_mount, "'bin/deep' is a mount point", true},
};

static void refused_one(size_t i)
{
    struct fixture f = fixture_make();
    struct error e;
    if (!hostile[i].make(&f)) {
        if (!hostile[i].optional)
            fail_msg("%s cannot be made: %s", hostile[i].name, strerror(errno));
        print_message("skip a_hostile_tree_is_refused: '%s' cannot be made here: %s\n", hostile[i].name,
                      strerror(errno));
        fixture_remove(&f);
        return;
    }
    int r = publish(&f, &e);
    if (r >= 0 || e.class != ERROR_REFUSED || !strstr(e.message, hostile[i].message))
        fail_msg("%s: %d %s", hostile[i].name, r, e.message);
    assert_int_equal(faccessat(f.store, NAME "/" ID, F_OK, AT_SYMLINK_NOFOLLOW), -1);
    assert_int_equal(faccessat(f.staging, KEY, F_OK, AT_SYMLINK_NOFOLLOW), -1);
    struct stat st;
    if (fstatat(f.store, "secret", &st, 0) == 0)
        assert_true(st.st_uid == OTHER && st.st_gid == OTHER && (st.st_mode & 07777) == 0600);
    if (hostile[i].make == with_mount) { /* the tree stays until it is unmounted */
        unsigned deleted;
        char link[64], place[PATH_MAX] = "";
        assert_int_equal(packages_delete(f.path, &deleted, &e), -EXDEV);
        snprintf(link, sizeof link, "/proc/self/fd/%d", f.held);
        assert_true(readlink(link, place, sizeof place - 1) > 0);
        assert_non_null(strstr(e.message, "is a mount point"));
        assert_int_equal(umount2(place, MNT_DETACH), 0);
    }
    delete_all(&f);
    fixture_remove(&f);
}

static void a_hostile_tree_is_refused(void **state)
{
    (void)state;
    if (needs_root("a_hostile_tree_is_refused"))
        skip();
    for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
        /* Each case has its own process: mounts and leases end with it. */
        pid_t child = fork();
        if (child == 0) {
            refused_one(i);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (status != 0)
            fail_msg("%s: status %d", hostile[i].name, status);
    }
}

static void what_is_no_directory_is_refused(void **state)
{
    (void)state;
    if (needs_root("what_is_no_directory_is_refused"))
        skip();
    for (int kind = 0; kind < 3; kind++) {
        struct fixture f = fixture_make();
        struct error e;
        assert_int_equal(remove_tree_at(f.staging, KEY, &e), 0);
        int r = kind == 0   ? symlinkat("/", f.staging, KEY)
                : kind == 1 ? mkfifoat(f.staging, KEY, 0666)
                            : mknodat(f.staging, KEY, S_IFREG | 0666, 0);
        assert_int_equal(r, 0);
        assert_int_equal(publish(&f, &e), -ENOTDIR);
        assert_int_equal(e.class, ERROR_REFUSED);
        assert_int_equal(faccessat(f.store, NAME, F_OK, AT_SYMLINK_NOFOLLOW), -1);
        delete_all(&f);
        fixture_remove(&f);
    }
}

/* --- descriptors that the attacker keeps --- */

struct hands {
    int root, bin, deep, tool, tool_path;
};

static void grasp(const struct fixture *f, struct hands *h)
{
    h->root = openat(f->tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    h->bin = openat(f->tree, "bin", O_PATH | O_DIRECTORY | O_CLOEXEC);
    h->deep = openat(f->tree, "bin/deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    h->tool = openat(f->tree, "bin/tool", O_RDONLY | O_CLOEXEC);
    h->tool_path = openat(f->tree, "bin/tool", O_PATH | O_CLOEXEC);
}

/* Attempts what must fail after the publication. Returns the number of the first attempt that succeeds; 0:
 * none. */
static int try_everything(void *userdata)
{
    const struct hands *h = userdata;
    struct timespec now[2] = {{0}};
    char path[64], up[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", h->tool_path);
    snprintf(up, sizeof up, "/proc/self/fd/%d", h->tool);
    bool done[] = {
        openat(h->root, "new", O_CREAT | O_WRONLY, 0600) >= 0,
        openat(h->deep, "new", O_CREAT | O_WRONLY, 0600) >= 0,
        openat(h->bin, "new", O_CREAT | O_WRONLY, 0600) >= 0,
        openat(h->bin, ".", O_TMPFILE | O_WRONLY, 0600) >= 0,
        mkdirat(h->bin, "newdir", 0700) == 0,
        symlinkat("/", h->root, "newlink") == 0,
        unlinkat(h->root, "readme", 0) == 0,
        unlinkat(h->deep, "file", 0) == 0,
        renameat(h->bin, "tool", h->bin, "other") == 0,
        renameat(h->root, "bin", h->root, "other") == 0,
        linkat(h->root, "readme", h->deep, "hard", 0) == 0,
        openat(h->bin, "tool", O_WRONLY) >= 0,
        openat(h->root, "readme", O_RDWR) >= 0,
        open(path, O_WRONLY) >= 0,
        open(up, O_RDWR) >= 0,
        truncate(path, 0) == 0,
        fchmod(h->tool, 0777) == 0,
        fchmod(h->root, 0777) == 0,
        fchmodat(h->root, "bin", 0777, 0) == 0,
        fchown(h->root, UNPACKER, UNPACKER) == 0,
        fchown(h->tool, UNPACKER, UNPACKER) == 0,
        futimens(h->tool, now) == 0,
        fsetxattr(h->tool, "user.mine", "1", 1, 0) == 0,
        set_project(h->tool, 7, 0),
        openat(h->root, "..", O_RDONLY | O_DIRECTORY) >= 0 && faccessat(h->root, "../..", W_OK, 0) == 0,
    };
    for (size_t i = 0; i < ARRAY_SIZE(done); i++)
        if (done[i])
            return (int)i + 1;
    return 0;
}

static void kept_descriptors_cannot_change_a_published_tree(void **state)
{
    (void)state;
    if (needs_root("kept_descriptors_cannot_change_a_published_tree"))
        skip();
    struct fixture f = fixture_make();
    struct hands h;
    struct error e;
    grasp(&f, &h);
    assert_int_equal(as_unpacker(try_everything, &h) > 0,
                     1); /* before the publication, at least one attempt succeeds */
    fixture_remove(&f);
    f = fixture_make();
    grasp(&f, &h);
    if (publish(&f, &e) < 0)
        fail_msg("%s", e.message);
    int could = as_unpacker(try_everything, &h);
    if (could)
        fail_msg("number %d of the attempts succeeded", could);
    assert_published(&f);
    fixture_remove(&f);
}

struct acl {
    uint32_t version;
    struct {
        uint16_t tag, rights;
        uint32_t id;
    } entries[5];
};

/* An access list that lets the unpacker's user write, whatever the mode is. */
static const struct acl acl = {2,
                               {{0x01, 7, UINT32_MAX},
                                {0x02, 7, UNPACKER},
                                {0x04, 5, UINT32_MAX},
                                {0x10, 7, UINT32_MAX},
                                {0x20, 5, UINT32_MAX}}};

static void access_lists_are_removed(void **state)
{
    (void)state;
    if (needs_root("access_lists_are_removed"))
        skip();
    struct fixture f = fixture_make();
    struct error e;
    struct hands h;
    grasp(&f, &h);
    if (fsetxattr(h.tool, "system.posix_acl_access", &acl, sizeof acl, 0) < 0) {
        print_message("skip access_lists_are_removed: this filesystem has none: %s\n", strerror(errno));
        fixture_remove(&f);
        skip();
    }
    assert_int_equal(fsetxattr(h.root, "system.posix_acl_access", &acl, sizeof acl, 0), 0);
    assert_int_equal(fsetxattr(h.deep, "system.posix_acl_default", &acl, sizeof acl, 0), 0);
    if (publish(&f, &e) < 0)
        fail_msg("%s", e.message);
    assert_int_equal(as_unpacker(try_everything, &h), 0);
    char names[256];
    const int all[] = {h.tool, h.root, h.deep};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        ssize_t n = flistxattr(all[i], names, sizeof names);
        for (const char *at = names; at < names + n; at += strlen(at) + 1)
            assert_null(strstr(at, "acl"));
    }
    fixture_remove(&f);
}

/* Plays an attacker who changes everything, without a pause, by the descriptors that it keeps, until it is
 * killed. */
static void rage(const struct fixture *f, const struct hands *h, int begun, pid_t test)
{
    if (setresgid(UNPACKER, UNPACKER, UNPACKER) < 0 || setresuid(UNPACKER, UNPACKER, UNPACKER) < 0)
        _exit(1);
    /* The attacker runs until it is killed, also when the test exits early. A change of user clears the
     * signal, so it is requested here. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != test)
        _exit(1);
    for (unsigned turn = 0;; turn++) {
        char name[32];
        snprintf(name, sizeof name, "n%u", turn % 50);
        (void)!symlinkat("/etc", h->deep, "swap");
        mkdirat(h->deep, "dir", 0777);
        renameat2(h->deep, "swap", h->deep, "dir", RENAME_EXCHANGE);
        unlinkat(h->deep, "swap", AT_REMOVEDIR);
        unlinkat(h->deep, "dir", 0);
        renameat2(h->root, "bin", h->root, "closed", RENAME_EXCHANGE);
        int fd = openat(h->deep, name, O_CREAT | O_WRONLY, 0666);
        if (fd >= 0)
            close(fd);
        (void)!linkat(h->deep, name, f->staging, name, 0);
        unlinkat(f->staging, name, 0);
        fchmod(h->deep, 0777);
        fchmod(h->tool, 06777);
        fd = openat(h->bin, "tool", O_WRONLY);
        if (fd >= 0)
            close(fd);
        unlinkat(h->deep, name, 0);
        if (turn == 0 && write(begun, "", 1) != 1)
            _exit(1);
    }
}

/* A process that has a file open for reading can open it for writing as long as its mode, or an access
 * list, lets every user write. So mode and access list must be changed before the check for writers: the
 * state of a file that was a_hostile_tree_is_refused because of a writer shows that they were. */
static void a_file_is_closed_to_others_before_the_check_for_writers(void **state)
{
    (void)state;
    if (needs_root("a_file_is_closed_to_others_before_the_check_for_writers"))
        skip();
    struct fixture f = fixture_make();
    struct error e;
    struct stat st;
    assert_int_equal(fchmodat(f.tree, "bin/tool", 0666, 0), 0);
    assert_true(with_writer(&f));
    bool lists = fsetxattr(f.held, "system.posix_acl_access", &acl, sizeof acl, 0) == 0;
    assert_int_equal(publish(&f, &e), -ETXTBSY);
    assert_int_equal(fstat(f.held, &st), 0);
    assert_int_equal(st.st_uid, 0);
    assert_int_equal(st.st_mode & 0022, 0);
    assert_int_equal(lists ? flistxattr(f.held, NULL, 0) : 0, 0);
    fixture_remove(&f);
}

static void a_racing_attacker_cannot_change_a_published_tree(void **state)
{
    (void)state;
    if (needs_root("a_racing_attacker_cannot_change_a_published_tree"))
        skip();
    unsigned published = 0, was_refused = 0;
    for (int round = 0; round < 150; round++) {
        struct fixture f = fixture_make();
        struct hands h;
        struct error e;
        grasp(&f, &h);
        _cleanup_close_ int canary = openat(f.store, "canary", O_RDONLY | O_CREAT | O_CLOEXEC, 0640);
        assert_int_equal(fchown(canary, OTHER, OTHER), 0);
        pid_t attackers[2];
        int begun[2];
        char byte;
        pid_t test = getpid();
        assert_int_equal(pipe(begun), 0);
        for (size_t i = 0; i < ARRAY_SIZE(attackers); i++)
            if ((attackers[i] = fork()) == 0)
                rage(&f, &h, begun[1], test);
        for (size_t i = 0; i < ARRAY_SIZE(attackers); i++)
            assert_int_equal(read(begun[0], &byte, 1), 1);
        int r = publish(&f, &e);
        if (r >= 0) {
            published++;
            assert_published(&f);
        } else {
            was_refused++;
            if (e.class != ERROR_REFUSED && e.errnum != ENOENT)
                fail_msg("%s", e.message);
            assert_int_equal(faccessat(f.store, NAME "/" ID, F_OK, AT_SYMLINK_NOFOLLOW), -1);
        }
        for (size_t i = 0; i < ARRAY_SIZE(attackers); i++) {
            kill(attackers[i], SIGKILL);
            waitpid(attackers[i], NULL, 0);
        }
        if (r >= 0) {
            assert_published(&f);
            assert_int_equal(as_unpacker(try_everything, &h), 0);
        }
        close(begun[0]);
        close(begun[1]);
        struct stat st;
        assert_int_equal(fstat(canary, &st), 0);
        assert_true(st.st_uid == OTHER && (st.st_mode & 07777) == 0640);
        const int all[] = {h.root, h.bin, h.deep, h.tool, h.tool_path};
        for (size_t i = 0; i < ARRAY_SIZE(all); i++)
            close(all[i]);
        fixture_remove(&f);
    }
    print_message("published %u times, a_hostile_tree_is_refused %u times\n", published, was_refused);
}

static void a_directory_that_an_earlier_version_left_becomes_roots(void **state)
{
    (void)state;
    if (needs_root("a_directory_that_an_earlier_version_left_becomes_roots"))
        skip();
    struct fixture f = fixture_make();
    struct packages_left left;
    struct error e = ERROR_INIT;
    bool hidden;
    assert_int_equal(mkdirat(f.store, NAME, 0755), 0);
    assert_int_equal(renameat(f.staging, KEY, f.store, NAME "/" ID), 0);
    assert_int_equal(symlinkat("/", f.store, NAME "/demo_2.0.0_linux_amd64"), 0);
    assert_int_equal(
        fchownat(f.store, NAME "/demo_2.0.0_linux_amd64", UNPACKER, UNPACKER, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(mkdirat(f.store, NAME "/.staging-" ID "-0123", 0755), 0);
    assert_int_equal(fchownat(f.store, NAME, UNPACKER, UNPACKER, 0), 0);
    ino_t before = stat_of(&f, NAME "/" ID).st_ino;
    if (packages_find_left(f.path, &left, &hidden, &e) < 0)
        fail_msg("%s", e.message);
    assert_int_equal(left.n, 1);
    assert_true(hidden);
    assert_int_equal(faccessat(f.store, NAME "/.staging-" ID "-0123", F_OK, 0), -1);
    assert_string_equal(left.items[0].name, NAME);
    assert_string_equal(left.items[0].id, ID);
    packages_left_clear(&left);
    assert_int_equal(stat_of(&f, NAME).st_uid, 0);
    assert_int_equal(faccessat(f.store, NAME "/demo_2.0.0_linux_amd64", F_OK, AT_SYMLINK_NOFOLLOW), -1);
    if (publish(&f, &e) < 0)
        fail_msg("%s", e.message);
    assert_published(&f);
    assert_int_equal(stat_of(&f, NAME "/" ID).st_ino,
                     before); /* running containers have the directory mounted */
    assert_int_equal(packages_find_left(f.path, &left, &hidden, &e), 0);
    assert_int_equal(left.n, 0);
    delete_all(&f);
    fixture_remove(&f);
}

/* Makes requests for leases fail in this process from here on, as on a filesystem without leases. */
static bool deny_leases(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_SETLEASE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {ARRAY_SIZE(code), code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Running containers have the directory mounted: if its files cannot be checked, it stays as it is. */
static void without_leases_a_used_directory_stays(void **state)
{
    (void)state;
    if (needs_root("without_leases_a_used_directory_stays"))
        skip();
    struct fixture f = fixture_make();
    struct error e;
    assert_int_equal(mkdirat(f.store, NAME, 0755), 0);
    assert_int_equal(renameat(f.staging, KEY, f.store, NAME "/" ID), 0);
    pid_t child = fork();
    if (child == 0) {
        if (!deny_leases())
            _exit(1);
        int r = publish(&f, &e);
        _exit(r == -EINVAL && e.class == ERROR_NOT_SUPPORTED && strstr(e.message, "leases-enable") ? 0 : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(stat_of(&f, NAME "/" ID).st_uid, UNPACKER);
    assert_int_equal(stat_of(&f, NAME "/" ID "/bin/tool").st_uid, UNPACKER);
    if (publish(&f, &e) < 0)
        fail_msg("%s", e.message);
    assert_published(&f);
    delete_all(&f);
    fixture_remove(&f);
}

static void a_store_that_others_can_write_is_refused(void **state)
{
    (void)state;
    if (needs_root("a_store_that_others_can_write_is_refused"))
        skip();
    struct fixture f = fixture_make();
    struct error e;
    assert_int_equal(chmod(f.path, 0777), 0);
    assert_int_equal(publish(&f, &e), -EPERM);
    assert_int_equal(chmod(f.path, 0755), 0);
    assert_int_equal(chown(f.path, UNPACKER, UNPACKER), 0);
    assert_int_equal(publish(&f, &e), -EPERM);
    assert_int_equal(faccessat(f.staging, KEY, F_OK, AT_SYMLINK_NOFOLLOW), 0);
    fixture_remove(&f);
}

static void a_publication_killed_at_any_step_is_completed(void **state)
{
    (void)state;
#ifdef ENABLE_FAILPOINTS
    /* The third pass comes first: passes are counted for the whole program. */
    static const char *const points[] = {"publish.directory@3", "publish.moved",  "publish.directory",
                                         "publish.taken",       "publish.synced", "publish.named",
                                         "unpublish.hidden"};
    for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
        struct fixture f = fixture_make();
        struct error e = ERROR_INIT;
        struct packages_left left;
        bool hidden;
        pid_t child = fork();
        if (child == 0) {
            _cleanup_free_ char *action = xasprintf("%s:kill", points[i]);
            setenv("HOSTLET_FAILPOINT", action, 1);
            (void)publish(&f, &e);
            (void)packages_unpublish(f.path, NAME, ID, &hidden, &e);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
            fail_msg("%s was not reached", points[i]);
        bool named = faccessat(f.store, NAME "/" ID, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        assert_int_equal(named, streq(points[i], "publish.named"));
        if (named)
            assert_published(&f);
        /* The next process completes the publication. */
        assert_int_equal(packages_find_left(f.path, &left, &hidden, &e), 0);
        bool gone = streq(points[i], "unpublish.hidden");
        assert_int_equal(left.n, named || gone ? 0 : 1);
        assert_int_equal(hidden, gone);
        packages_left_clear(&left);
        assert_int_equal(publish(&f, &e), gone ? -ENOENT : 0);
        if (!gone)
            assert_published(&f);
        delete_all(&f);
        fixture_remove(&f);
    }
#else
    print_message("skip a_publication_killed_at_any_step_is_completed: runs in the failpoints variant\n");
    skip();
#endif
}

int main(void)
{
    static const char *const names[] = {
        "publish.moved", "publish.directory", "publish.taken",     "publish.synced",
        "publish.named", "unpublish.hidden",  "unpublish.deleted", NULL};
    failpoint_table(names);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_publication_killed_at_any_step_is_completed),
        cmocka_unit_test(a_package_becomes_roots_own_once),
        cmocka_unit_test(a_hostile_tree_is_refused),
        cmocka_unit_test(what_is_no_directory_is_refused),
        cmocka_unit_test(kept_descriptors_cannot_change_a_published_tree),
        cmocka_unit_test(access_lists_are_removed),
        cmocka_unit_test(a_file_is_closed_to_others_before_the_check_for_writers),
        cmocka_unit_test(a_racing_attacker_cannot_change_a_published_tree),
        cmocka_unit_test(a_directory_that_an_earlier_version_left_becomes_roots),
        cmocka_unit_test(without_leases_a_used_directory_stays),
        cmocka_unit_test(a_store_that_others_can_write_is_refused),

    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
