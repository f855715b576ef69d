/* Fuzzes a Varlink server with a client's data: framing, envelope, parameters, several messages, and an end
 * within a message. A newline of the input ends a message, so that seeds are text files. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "lib/api/provisioner.h"
#include "lib/basic/remove_tree.h"
#include "lib/varlink/client.h"
#include "lib/varlink/server.h"
#include "lib/varlink/unix.h"

static sd_event *event;
static struct varlink_server *server;
static char directory[] = "/tmp/hostlet-fuzz-XXXXXX", *path;

static int on_provision(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)userdata;
    const struct provisioner_provision_in *i = in;
    if (!*i->container)
        return error_refuse(e, EINVAL, "no container");
    varlink_reply(call, &(struct provisioner_provision_out){.path = i->container});
    return 0;
}

static int on_list(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in, (void)userdata, (void)e;
    for (int i = 0; i < 3 && varlink_call_wants_more(call); i++)
        varlink_notify(call, &(struct provisioner_list_out){.removed_at = i});
    varlink_reply(call, &(struct provisioner_list_out){.container = NULL});
    return 0;
}

/* Never replies: the client hangs up first. */
static int on_remove(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)call, (void)in, (void)userdata, (void)e;
    return 0;
}

static const struct varlink_handlers handlers[] = {
    {"Provision", on_provision}, {"List", on_list}, {"Remove", on_remove}, {NULL, NULL}};

static void remove_directory(void)
{
    (void)remove_tree_at(AT_FDCWD, directory, NULL);
}

static void start(void)
{
    struct varlink_server_options options = {.interface = &provisioner_interface, .handlers = handlers};
    struct error e = ERROR_INIT;
    must(sd_event_new(&event) >= 0);
    must(mkdtemp(directory));
    atexit(remove_directory);
    path = xasprintf("%s/socket", directory);
    int fd = unix_listen(path, 0600, (gid_t)-1, NULL, &e);
    must(fd >= 0);
    must(varlink_server_new(event, &options, &server) == 0);
    must(varlink_server_listen(server, fd, &e) == 0);
}

static void run_loop(void)
{
    for (int i = 0; i < 1000 && sd_event_run(event, 0) > 0; i++)
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e = ERROR_INIT;
    if (!server)
        start();
    char *text = text_of(data, size);
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\n')
            text[i] = '\0';
    int fd = unix_connect(path, &e);
    must(fd >= 0);
    /* Sends two parts, so that the server receives messages in pieces. */
    size_t first = size / 2;
    (void)!send(fd, text, first, MSG_NOSIGNAL | MSG_DONTWAIT);
    run_loop();
    (void)!send(fd, text + first, size - first, MSG_NOSIGNAL | MSG_DONTWAIT);
    run_loop();
    char answer[4096];
    ssize_t n;
    while ((n = recv(fd, answer, sizeof answer, MSG_DONTWAIT)) > 0)
        run_loop();
    close(fd);
    run_loop();
    must(varlink_server_connections(server) == 0);
    free(text);
    return 0;
}
