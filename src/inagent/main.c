/* Parses the command line of inagent, process 1 of an application's container. See man/inagent.8.scd. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "inagent/commands.h"
#include "inagent/copy.h"
#include "inagent/daemon.h"
#include "inagent/home.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"

static const char usage[] =
    "Usage: inagent [--prefix DIR] COMMAND\n"
    "       inagent [--prefix DIR] config-render --in FILE --out FILE\n"
    "       inagent [--prefix DIR] config-merge --with-config-field NAME --config FILE\n"
    "       inagent copy [VOLUME FROM TO]…\n"
    "\n"
    "Runs an application in its container, as process 1, and changes the application's configuration files.\n"
    "\n"
    "Commands:\n"
    "  daemon         run the tasks of DIR/.innerstack/app_replica.json\n"
    "  config-render  write the template --in FILE, expanded, to --out FILE\n"
    "  config-merge   merge --with-config-field NAME into --config FILE\n"
    "  config-export  print all variables of templates as JSON\n"
    "  copy           copy each directory FROM, which is VOLUME in messages, into the empty directory TO\n"
    "  completion     print a completion script for bash\n"
    "  help           show this text\n"
    "\n"
    "Options:\n"
    "  --prefix DIR               the application's home (/home/action)\n"
    "  --in FILE, --out FILE      the template and the result of config-render\n"
    "  --with-config-field NAME   the config item, such as 'nginx' or 'nginx.main'\n"
    "  --config FILE              the file that config-merge changes\n"
    "  --version                  show the version\n";

static const char completion[] =
    "complete -W 'daemon config-render config-merge config-export copy completion help --prefix --in --out "
    "--with-config-field --config --version' -o default inagent\n";

struct arguments {
    const char *prefix, *in, *out, *field, *config;
};

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

static int print(const char *text)
{
    return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? refuse("cannot write to standard output")
                                                          : EXIT_OK;
}

/* Reads the options; sets *ret_done when the program ends with the returned code. */
static int parse_options(int argc, char *argv[], struct arguments *ret, bool *ret_done)
{
    static const struct option options[] = {
        {"prefix", required_argument, NULL, 'p'}, {"in", required_argument, NULL, 'i'},
        {"out", required_argument, NULL, 'o'},    {"with-config-field", required_argument, NULL, 'f'},
        {"config", required_argument, NULL, 'c'}, {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},         {0}};
    const char **values[] = {
        ['p'] = &ret->prefix, ['i'] = &ret->in, ['o'] = &ret->out, ['f'] = &ret->field, ['c'] = &ret->config};
    *ret_done = true;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) >= 0;) {
        if (option == 'v')
            return print("inagent " INAGENT_VERSION "\n");
        if (option == 'h')
            return print(usage);
        if (option == '?') {
            _cleanup_free_ char *message = xasprintf(
                "option '%s' is unknown, or its value is missing; see 'inagent help'", argv[optind - 1]);
            return refuse(message);
        }
        *values[option] = optarg;
    }
    *ret_done = false;
    return EXIT_OK;
}

/* Runs one of the commands for configuration files. Returns false in *ret_known for another one. */
static int run_config(const char *command, const struct arguments *a, bool *ret_known)
{
    struct error e = ERROR_INIT;
    int r;
    *ret_known = true;
    if (streq(command, "config-render") || streq(command, "confrender")) {
        if (!a->in || !a->out)
            return refuse("config-render needs --in FILE and --out FILE; see 'inagent help'");
        r = command_render(a->prefix, a->in, a->out, &e);
    } else if (streq(command, "config-merge")) {
        if (!a->field || !a->config)
            return refuse(
                "config-merge needs --with-config-field NAME and --config FILE; see 'inagent help'");
        r = command_merge(a->prefix, a->field, a->config, &e);
    } else if (streq(command, "config-export")) {
        r = command_export(a->prefix, &e);
    } else {
        *ret_known = false;
        return EXIT_OK;
    }
    return r < 0 ? refuse(e.message) : EXIT_OK;
}

int main(int argc, char *argv[])
{
    if (fill_standard_descriptors() < 0)
        return EXIT_FAILED;
    log_open("inagent", LOG_FORMAT_PLAIN, LOG_LEVEL_INFO);
    struct arguments arguments = {.prefix = "/home/action"};
    bool done;
    int code = parse_options(argc, argv, &arguments, &done);
    if (done)
        return code;
    const char *command = optind < argc ? argv[optind] : "help";
    if (streq(command, "copy"))
        return run_copy(argc - optind - 1, argv + optind + 1);
    if (streq(command, "completion") && optind + 1 < argc && !streq(argv[optind + 1], "bash"))
        return refuse("a completion script exists for bash alone");
    if (streq(command, "completion"))
        return print(completion);
    if (optind + 1 < argc)
        return refuse("one command at a time; see 'inagent help'");
    if (arguments.prefix[0] != '/')
        return refuse("--prefix needs an absolute path");
    if (streq(command, "daemon"))
        return run_daemon(arguments.prefix);
    code = run_config(command, &arguments, &done);
    if (done)
        return code;
    if (!streq(command, "help")) {
        _cleanup_free_ char *message = xasprintf("unknown command '%s'; see 'inagent help'", command);
        return refuse(message);
    }
    return print(usage);
}
