/* Fuzzes the administrator's files: hostlet.conf, and service.conf of a service. Both are written where they
 * are read from. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "fuzz.h"
#include "lib/basic/fs.h"
#include "lib/basic/remove_tree.h"
#include "lib/config/config.h"
#include "lib/topology/topology.h"

static char base[] = "/tmp/hostlet-fuzz-XXXXXX";
static struct tree tree;
static char *config_path, *service_path;

static void remove_base(void)
{
    (void)remove_tree_at(AT_FDCWD, base, NULL);
}

static void start(void)
{
    struct error e = ERROR_INIT;
    must(mkdtemp(base));
    atexit(remove_base);
    must(tree_init(&tree, base, base, base, &e) == 0);
    config_path = tree_config_file(&tree);
    char *service = xasprintf("%s/fuzzed", base);
    service_path = xasprintf("%s/service.conf", service);
    must(make_dirs(tree.etc, 0700, &e) == 0 && make_dirs(service, 0700, &e) == 0);
    free(service);
}

static void write_file(const char *path, const uint8_t *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && write_all(fd, data, size) == 0);
    close(fd);
}

/* A message names the file, and has its line. */
static void check_message(const char *path, const struct error *e)
{
    must(e->errnum != 0);
    must(strstr(e->message, path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = ERROR_INIT;
    struct config *config = NULL;
    struct service_conf *conf = NULL;
    if (!config_path)
        start();
    write_file(config_path, data, size);
    if (config_load(&tree, &config, &e) == 0)
        free(config_section_text(config, "container-driver"));
    else
        check_message(config_path, &e);
    config_free(config);

    e = (struct error)ERROR_INIT;
    write_file(service_path, data, size);
    if (service_conf_load(&tree, "fuzzed", &conf, &e) < 0)
        check_message("fuzzed", &e);
    service_conf_free(conf);
    return 0;
}
