/* quota-keeper: project quotas of the replicas' directories.
 *
 * Job: gives each replica's directory a hard disk limit in the kernel. In this version it holds the interface and says
 *   plainly that nothing is enforced, so that nobody mistakes a replica for limited.
 * Privileges: root with CAP_SYS_ADMIN, CAP_FOWNER, CAP_DAC_READ_SEARCH; no network. Called by the reconciler.
 * Failures: every limit is answered with NotSupported and the reason; the caller goes on, or refuses where the
 *   configuration says "quota = required". */
#include <errno.h>

#include "lib/api/workers.h"
#include "lib/service/service.h"

#define REASON "this version of hostlet does not enforce disk quotas"

static int not_supported(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)call, (void)in, (void)userdata;
    return error_set(e, ERROR_NOT_SUPPORTED, EOPNOTSUPP, "%s", REASON);
}

static const struct varlink_handlers handlers[] = {
    {"Ensure", not_supported}, {"Release", not_supported}, {"Remove", not_supported},
    {"Get", not_supported},    {"List", not_supported},    {"Report", not_supported},
    {"Watch", not_supported},  {"Info", not_supported},    {NULL, NULL}};

static const struct service service = {
    .name = "quota-keeper",
    .interface = &quota_interface,
    .handlers = handlers,
};

int main(int argc, char **argv)
{
    return service_main(&service, argc, argv);
}
