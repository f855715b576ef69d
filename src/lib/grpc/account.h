/* What peers make a server hold, in bytes, counted against their connection, its origin (an IPv4 address, an
 * IPv6 /64) and all connections of the same kind. Pure.
 *
 * Strangers, which have shown no good token yet, have a share of their own, so that whatever they do there is
 * room for those that have. */
#pragma once

#include "lib/peer/peer.h"

struct grpc_shares { /* bytes */
    size_t connection, origin, all;
};

enum grpc_account_kind { GRPC_STRANGERS, GRPC_TRUSTED, _GRPC_ACCOUNT_KINDS };

struct grpc_accounts {
    struct grpc_shares max[_GRPC_ACCOUNT_KINDS];
    size_t held[_GRPC_ACCOUNT_KINDS];
    struct grpc_account *first;
};

/* Of one connection. */
struct grpc_account {
    struct grpc_accounts *accounts; /* NULL: it is counted, and bounded by nobody */
    struct grpc_account *next, *previous;
    struct peer origin;
    enum grpc_account_kind kind;
    size_t held;
    bool leaving;
    void *owner;
};

void grpc_account_open(struct grpc_accounts *accounts, struct grpc_account *account, const struct peer *peer,
                       void *owner);
/* What it still holds is given back. One that was never opened is fine. */
void grpc_account_close(struct grpc_account *account);
/* It showed a good token. */
void grpc_account_trust(struct grpc_account *account);
/* Its connection is about to end: what it holds counts against nobody any more. */
void grpc_account_leave(struct grpc_account *account);

/* Counts, whatever the limits are. */
void grpc_account_add(struct grpc_account *account, size_t bytes);
void grpc_account_sub(struct grpc_account *account, size_t bytes);

enum grpc_account_verdict {
    GRPC_ACCOUNT_FITS,
    GRPC_ACCOUNT_TOO_MUCH, /* for this connection or its origin */
    GRPC_ACCOUNT_FULL,     /* for all of its kind together */
};
enum grpc_account_verdict grpc_account_judge(const struct grpc_account *account, size_t more);

/* Who gives way to a stranger when all strangers hold too much: of the origin that holds most, and more than
 * the stranger's would, the connection that holds most. NULL: none, and trusted ones never do. */
struct grpc_account *grpc_account_heaviest(const struct grpc_account *stranger, size_t more);
