/* Implements home.h.
 *
 * The tenant controls the content of the home, also from earlier runs: the walk uses directory
 * descriptors, follows no symbolic link, and does not leave the mount (a package bound below /opt stays
 * unchanged). */
#include "inagent/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inagent/users.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"

/* Each level of the descent holds a descriptor. */
#define MAX_DEPTH 256
/* hostlet's directory in the home: its files keep the owner and mode that hostlet set. */
#define OURS ".innerstack"

/* Appends to a file that cannot be replaced because it is a mount point itself. */
static int append(int etc, const char *name, size_t old_size, const char *text, struct error *e)
{
    _cleanup_close_ int fd = openat(etc, name, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    int r = fd < 0 ? -errno : write_all(fd, text + old_size, strlen(text) - old_size);
    return r < 0 ? error_os(e, -r, "cannot add to '/etc/%s'", name) : 0;
}

static int add_line(int etc, const char *name, const char *line, struct error *e)
{
    _cleanup_free_ char *old = NULL;
    size_t size = 0;
    struct stat st = {.st_mode = 0644};
    int r = read_file_at(etc, name, 16 << 20, &old, &size, e);
    if (r == -ENOENT)
        old = xstrdup("");
    else if (r < 0 || fstatat(etc, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return r < 0 ? r : error_os(e, errno, "cannot stat '/etc/%s'", name);
    _cleanup_free_ char *new = users_add(old, ACTION_NAME, line);
    if (!new)
        return 0;
    r = replace_file_at(etc, name, new, strlen(new), st.st_mode & 07777, st.st_uid, st.st_gid, e);
    return r == -EBUSY ? append(etc, name, size, new, e) : r;
}

static void add_user(void)
{
    struct error e = ERROR_INIT;
    char passwd[64], group[64];
    /* "*" and not "x": no program then reads /etc/shadow for this user, and no password matches. */
    snprintf(passwd, sizeof passwd, ACTION_NAME ":*:%d:%d::/home/" ACTION_NAME ":/bin/sh", ACTION_ID,
             ACTION_ID);
    snprintf(group, sizeof group, ACTION_NAME ":*:%d:", ACTION_ID);
    if (mkdir("/etc", 0755) < 0 && errno != EEXIST && errno != EROFS)
        log_notice("cannot make /etc: %s", strerrordesc_np(errno));
    _cleanup_close_ int etc = open_dir_at(AT_FDCWD, "/etc", &e);
    if (etc < 0 || add_line(etc, "group", group, &e) < 0 || add_line(etc, "passwd", passwd, &e) < 0)
        log_notice("user '" ACTION_NAME "' is not added (%s): in this container it has only the number %d",
                   e.message, ACTION_ID);
}

/* Opens an entry of 'dir' without leaving its mount; −EXDEV if the entry is another mount. If the kernel
 * or a sandbox lacks openat2, only the device number is compared, which does not detect a bind mount of
 * the same filesystem. */
static int open_entry(int dir, const char *name, int flags, struct stat *st)
{
    struct error e = ERROR_INIT;
    int fd = open_beneath(dir, name, flags, 0, &e);
    if (fd == -ENOSYS || fd == -EPERM)
        fd = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC);
    else if (fd < 0)
        return fd;
    if (fd < 0)
        return -errno;
    struct stat of_dir;
    if (fstat(fd, st) < 0 || fstat(dir, &of_dir) < 0 || st->st_dev != of_dir.st_dev) {
        close(fd);
        return -EXDEV;
    }
    return fd;
}

/* Changes the owner of everything below 'fd' to the user and returns the number of failures. Takes
 * ownership of 'fd'. */
static unsigned give_contents(int fd, unsigned depth)
{
    _cleanup_closedir_ DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return 1;
    }
    unsigned failures = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        const char *name = entry->d_name;
        if (streq(name, ".") || streq(name, "..") || (depth == 0 && streq(name, OURS)))
            continue;
        struct stat st;
        _cleanup_close_ int at = open_entry(fd, name, O_PATH, &st);
        if (at < 0) {
            failures += at != -EXDEV && at != -ENOENT;
            continue;
        }
        if (S_ISDIR(st.st_mode)) {
            int below = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            failures +=
                below < 0 || depth >= MAX_DEPTH ? (close_fd(below), 1) : give_contents(below, depth + 1);
        }
        failures += fchownat(at, "", ACTION_ID, ACTION_ID, AT_EMPTY_PATH) < 0;
    }
    return failures;
}

/* Changes the owner of 'path' and of everything below it. The top is changed last: an interrupted walk is
 * repeated at the next start. */
static void give(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        if (errno != ENOENT)
            log_warning("cannot open '%s' to give it to '" ACTION_NAME "': %s", path, strerrordesc_np(errno));
        return;
    }
    unsigned failures = 0;
    if (st.st_uid != ACTION_ID) {
        int walk = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        failures = walk < 0 ? 1 : give_contents(walk, 0);
    } else if (st.st_gid == ACTION_ID) {
        return;
    }
    failures += fchown(fd, ACTION_ID, ACTION_ID) < 0;
    if (failures > 0)
        log_warning("'%s': %u entries could not be given to '" ACTION_NAME "'", path, failures);
}

int home_directory(const char *home, const char *path)
{
    _cleanup_free_ char *copy = xstrdup(path);
    int at = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char *save = NULL;
    for (char *name = strtok_r(copy, "/", &save); name && at >= 0; name = strtok_r(NULL, "/", &save)) {
        bool made = mkdirat(at, name, 0755) == 0;
        int next = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), reason = errno;
        if (next >= 0 && made && geteuid() == 0 && fchown(next, ACTION_ID, ACTION_ID) < 0)
            log_warning("cannot give directory '%s' to '" ACTION_NAME "': %s", path, strerrordesc_np(errno));
        close_fd(at);
        at = next;
        errno = reason;
    }
    return at;
}

void home_prepare(const char *home)
{
    static const char *const directories[] = {"local/bin", "local/share", "local/profile.d",
                                              "var/tmp",   "var/log",     ".ssh"};
    struct error e = ERROR_INIT;
    if (make_dirs(home, 0755, &e) < 0)
        log_warning("%s", e.message);
    if (geteuid() == 0) {
        add_user();
        give(home);
        give("/opt");
    } else {
        log_notice("not started as root: every task runs as user %u", (unsigned)geteuid());
    }
    for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
        int fd = home_directory(home, directories[i]);
        if (fd < 0)
            log_warning("cannot make directory '%s' in the home: %s", directories[i], strerrordesc_np(errno));
        close_fd(fd);
    }
}
