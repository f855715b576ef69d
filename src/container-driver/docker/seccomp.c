/* Implements seccomp.h. Containers get the configured profile when the engine accepts it. Docker
 * accepts the profile's text in a request to create a container. podman accepts only the path of a file on
 * its own machine; its own profile then applies. An engine without seccomp refuses to start a container with
 * a profile, so that containers get none. */
#include "container-driver/docker/seccomp.h"

#include "container-driver/docker/inspect.h"
#include "lib/basic/log.h"

bool docker_takes_profile(const struct docker *d, const char **ret_why)
{
    *ret_why = d->lacks_seccomp                               ? "the engine has no seccomp"
               : d->is_podman && d->settings->seccomp_profile ? "podman accepts no profile from its clients"
                                                              : NULL;
    return d->settings->seccomp_profile && !*ret_why;
}

/* Logs which profile containers get, at the start and whenever it changes with the engine. */
static void say(struct docker *d)
{
    const char *why;
    char *text;
    if (docker_takes_profile(d, &why))
        text = xasprintf("containers are made with the seccomp profile '%s'", d->settings->seccomp);
    else if (d->lacks_seccomp)
        text = xasprintf("%s: containers are made without a filter of system calls", why);
    else
        text = xasprintf("containers are made with the engine's own seccomp profile (%s): tenants can change "
                         "the project of their files, and so exceed disk quotas",
                         why ?: "seccomp = runtime");
    if (!streq_null(text, d->seccomp_said) && docker_takes_profile(d, &why))
        log_info("%s", text);
    else if (!streq_null(text, d->seccomp_said))
        log_warning("%s", text);
    free(d->seccomp_said);
    d->seccomp_said = text;
}

void docker_learn_version(struct docker *d, json_t *version)
{
    docker_forget_engine(d);
    d->is_podman = docker_read_podman(version);
}

void docker_learn_info(struct docker *d, json_t *info)
{
    d->lacks_seccomp = !docker_read_seccomp(info);
    d->engine_known = true;
    say(d);
}

void docker_forget_engine(struct docker *d)
{
    d->engine_known = d->is_podman = d->lacks_seccomp = false;
}

void docker_tell_seccomp(const struct docker *d, struct driver_info_out *info)
{
    const char *why;
    if (!d->engine_known)
        return;
    bool takes = docker_takes_profile(d, &why);
    info->seccomp = xstrdup(takes ? d->settings->seccomp : d->lacks_seccomp ? "none" : "runtime");
    info->seccomp_reason = xstrdup_null(why);
}
