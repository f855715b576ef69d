/* Implements account.h. */
#include "lib/grpc/account.h"

static bool counts(const struct grpc_account *a)
{
    return a->accounts && !a->leaving;
}

void grpc_account_open(struct grpc_accounts *accounts, struct grpc_account *a, const struct peer *peer,
                       void *owner)
{
    a->accounts = accounts;
    a->origin = peer_origin(peer);
    a->owner = owner;
    a->next = accounts->first;
    if (a->next)
        a->next->previous = a;
    accounts->first = a;
    accounts->held[a->kind] += a->held;
}

void grpc_account_close(struct grpc_account *a)
{
    if (!a->accounts)
        return;
    grpc_account_leave(a);
    *(a->previous ? &a->previous->next : &a->accounts->first) = a->next;
    if (a->next)
        a->next->previous = a->previous;
    a->accounts = NULL;
}

void grpc_account_trust(struct grpc_account *a)
{
    if (counts(a) && a->kind != GRPC_TRUSTED) {
        a->accounts->held[a->kind] -= a->held;
        a->accounts->held[GRPC_TRUSTED] += a->held;
    }
    a->kind = GRPC_TRUSTED;
}

void grpc_account_leave(struct grpc_account *a)
{
    if (counts(a))
        a->accounts->held[a->kind] -= a->held;
    a->leaving = true;
}

void grpc_account_add(struct grpc_account *a, size_t bytes)
{
    a->held += bytes;
    if (counts(a))
        a->accounts->held[a->kind] += bytes;
}

void grpc_account_sub(struct grpc_account *a, size_t bytes)
{
    a->held -= bytes;
    if (counts(a))
        a->accounts->held[a->kind] -= bytes;
}

static size_t held_by(const struct grpc_accounts *all, enum grpc_account_kind kind, const struct peer *origin)
{
    size_t n = 0;
    for (const struct grpc_account *a = all->first; a; a = a->next)
        n += counts(a) && a->kind == kind && peer_equal(&a->origin, origin) ? a->held : 0;
    return n;
}

enum grpc_account_verdict grpc_account_judge(const struct grpc_account *a, size_t more)
{
    if (!counts(a))
        return GRPC_ACCOUNT_FITS;
    const struct grpc_shares *max = &a->accounts->max[a->kind];
    size_t all = a->accounts->held[a->kind] + more;
    if (a->held + more > max->connection)
        return GRPC_ACCOUNT_TOO_MUCH;
    /* Usually all connections together hold less than one origin may hold; then the sum of the origin is not
     * needed. */
    if (all > max->origin && held_by(a->accounts, a->kind, &a->origin) + more > max->origin)
        return GRPC_ACCOUNT_TOO_MUCH;
    return all > max->all ? GRPC_ACCOUNT_FULL : GRPC_ACCOUNT_FITS;
}

struct grpc_account *grpc_account_heaviest(const struct grpc_account *stranger, size_t more)
{
    struct grpc_accounts *all = stranger->accounts;
    struct grpc_account *found = NULL;
    if (stranger->kind != GRPC_STRANGERS)
        return NULL;
    size_t most = held_by(all, GRPC_STRANGERS, &stranger->origin) + more;
    for (struct grpc_account *a = all->first; a; a = a->next) {
        size_t n = counts(a) && a->kind == GRPC_STRANGERS ? held_by(all, GRPC_STRANGERS, &a->origin) : 0;
        if (n > most ||
            (found && n == most && peer_equal(&a->origin, &found->origin) && a->held > found->held)) {
            most = n;
            found = a;
        }
    }
    return found;
}
