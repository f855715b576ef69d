/* Parses the command line of inagent, process 1 of an application's container. See man/inagent.8.scd. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "inagent/copy.h"
#include "inagent/daemon.h"
#include "inagent/home.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"

static const char usage[] =
    "Usage: inagent [--prefix DIR] COMMAND\n"
    "       inagent copy [VOLUME FROM TO]…\n"
    "\n"
    "Runs an application in its container, as process 1.\n"
    "\n"
    "Commands:\n"
    "  daemon   run the tasks of DIR/.innerstack/app_replica.json\n"
    "  copy     copy each directory FROM, which is VOLUME in messages, into the empty directory TO\n"
    "  help     show this text\n"
    "\n"
    "Options:\n"
    "  --prefix DIR   the application's home (/home/action)\n"
    "  --version      show the version\n";

static int refuse(const char *message)
{
    fprintf(stderr, "Error: %s\n", message);
    return EXIT_FAILED;
}

static int run_daemon(const char *prefix)
{
    uint64_t begun = now_monotonic_usec();
    struct environment environment;
    struct error e = ERROR_INIT;
    if (environment_read(&environment, &e) < 0)
        return refuse(e.message);
    /* On a host, the daemon would change the owner of /opt and end every process at its shutdown. */
    if (getpid() != 1)
        return refuse("the daemon runs as process 1 of a container, and nowhere else");
    sigset_t signals;
    daemon_signals(&signals);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    log_info("version " INAGENT_VERSION ", application '%s', replica %lld", getenv("APP_NAME"),
             (long long)environment.identity.replica_id);
    home_prepare(prefix);
    return daemon_run(&environment, prefix, begun);
}

/* Copies volumes. The last line of the output is the reason of a failure. */
static int run_copy(int n, char *paths[])
{
    struct error e = ERROR_INIT;
    if (n < 3 || n % 3 != 0)
        return refuse("copy needs three words for each volume; see 'inagent help'");
    for (int i = 0; i < n; i += 3)
        if (copy_volume(paths[i], paths[i + 1], paths[i + 2], &e) < 0) {
            log_error("%s", e.message);
            return EXIT_FAILED;
        }
    return EXIT_OK;
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {{"prefix", required_argument, NULL, 'p'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    if (fill_standard_descriptors() < 0)
        return EXIT_FAILED;
    log_open("inagent", LOG_FORMAT_PLAIN, LOG_LEVEL_INFO);
    const char *prefix = "/home/action";
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) >= 0;)
        switch (option) {
        case 'p':
            prefix = optarg;
            break;
        case 'v':
            puts("inagent " INAGENT_VERSION);
            return EXIT_OK;
        case 'h':
            fputs(usage, stdout);
            return EXIT_OK;
        default: {
            _cleanup_free_ char *message = xasprintf(
                "option '%s' is unknown, or its value is missing; see 'inagent help'", argv[optind - 1]);
            return refuse(message);
        }
        }
    const char *command = optind < argc ? argv[optind] : "help";
    if (streq(command, "copy"))
        return run_copy(argc - optind - 1, argv + optind + 1);
    if (optind + 1 < argc)
        return refuse("one command at a time; see 'inagent help'");
    if (prefix[0] != '/')
        return refuse("--prefix needs an absolute path");
    if (streq(command, "daemon"))
        return run_daemon(prefix);
    if (!streq(command, "help")) {
        _cleanup_free_ char *message = xasprintf("unknown command '%s'; see 'inagent help'", command);
        return refuse(message);
    }
    fputs(usage, stdout);
    return EXIT_OK;
}
