/* What is not as it should be: ledger, kernel and directories compared. */
#pragma once

#include "lib/api/quota_keeper.h"
#include "quota-keeper/findings.h"

/* Looks at every file of every replica: in a thread. Changes nothing. */
int report_make(struct registry *r, struct findings *ret, struct error *e);

/* What the filesystems of the app path and of all replicas' directories enforce. */
int report_info(struct registry *r, struct quota_info_out *ret, struct error *e);
