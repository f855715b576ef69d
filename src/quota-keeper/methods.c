/* Implements methods.h: each handler checks the parameters and passes the call on. */
#include "quota-keeper/methods.h"

#include <errno.h>
#include <inttypes.h>

#include "lib/api/quota_keeper.h"
#include "lib/app-path/app_path.h"
#include "quota-keeper/manager.h"
#include "quota-keeper/questions.h"
#include "quota-keeper/requests.h"
#include "quota-keeper/sweep.h"
#include "quota-keeper/watch.h"

static int check_pair(const char *what, int64_t soft, int64_t hard, struct error *e)
{
    if (soft < 0 || hard < 0)
        return error_refuse(e, EINVAL, "%" PRId64 " %s is not a valid limit: 0 means no limit",
                            soft < 0 ? soft : hard, what);
    if (hard > 0 && soft > hard)
        return error_refuse(e, EINVAL, "the soft limit (%" PRId64 " %s) is above the hard one (%" PRId64 ")",
                            soft, what, hard);
    return 0;
}

static int on_ensure(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct quota_ensure_in *i = in;
    const struct kernel_limits limits = {i->soft, i->hard, i->inodes_soft, i->inodes};
    int r = app_path_check_container(i->container, e);
    if (r >= 0)
        r = check_pair("bytes", i->soft, i->hard, e);
    if (r >= 0)
        r = check_pair("inodes", i->inodes_soft, i->inodes, e);
    if (r < 0)
        return r;
    request_begin(userdata, REQUEST_ENSURE, call, i->container, &limits);
    return 0;
}

static int on_recheck(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct quota_container_in *i = in;
    int r = app_path_check_container(i->container, e);
    if (r >= 0)
        request_begin(userdata, REQUEST_RECHECK, call, i->container, NULL);
    return r;
}

static int check_stream(const struct varlink_call *call, struct error *e)
{
    if (varlink_call_wants_more(call))
        return 0;
    return error_refuse(e, EINVAL, "the reply is a stream: the call must set 'more'");
}

static int on_recheck_all(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    int r = check_stream(call, e);
    if (r >= 0)
        sweep_begin(userdata, call);
    return r;
}

static int on_release(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct quota_container_in *i = in;
    int r = app_path_check_container(i->container, e);
    if (r >= 0)
        request_begin(userdata, REQUEST_RELEASE, call, i->container, NULL);
    return r;
}

static int on_remove(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct quota_container_in *i = in;
    int r = app_path_check_container(i->container, e);
    if (r >= 0)
        request_begin(userdata, REQUEST_REMOVE, call, i->container, NULL);
    return r;
}

static int on_get(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct quota_container_in *i = in;
    int r = app_path_check_container(i->container, e);
    if (r >= 0)
        question_ask(userdata, QUESTION_GET, call, i->container);
    return r;
}

static int on_list(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    int r = check_stream(call, e);
    if (r >= 0)
        question_ask(userdata, QUESTION_LIST, call, NULL);
    return r;
}

static int on_report(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    int r = check_stream(call, e);
    if (r >= 0)
        question_ask(userdata, QUESTION_REPORT, call, NULL);
    return r;
}

static int on_watch(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    int r = check_stream(call, e);
    if (r >= 0)
        question_ask(userdata, QUESTION_WATCH, call, NULL);
    return r;
}

static int on_info(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in, (void)e;
    question_ask(userdata, QUESTION_INFO, call, NULL);
    return 0;
}

const struct varlink_handlers quota_handlers[] = {{"Ensure", on_ensure},
                                                  {"Recheck", on_recheck},
                                                  {"RecheckAll", on_recheck_all},
                                                  {"Release", on_release},
                                                  {"Remove", on_remove},
                                                  {"Get", on_get},
                                                  {"List", on_list},
                                                  {"Report", on_report},
                                                  {"Watch", on_watch},
                                                  {"Info", on_info},
                                                  {NULL, NULL}};
