/* Compares ledger, kernel and directories, and reports what differs. */
#pragma once

#include "lib/api/quota_keeper.h"
#include "quota-keeper/findings.h"

/* Adds a finding for each difference. Visits every file of every replica: call it in a thread. Changes
 * nothing. */
int report_make(struct registry *r, struct findings *ret, struct error *e);

/* Describes what the filesystems of the app path and of all replicas' directories enforce. */
int report_info(struct registry *r, struct quota_info_out *ret, struct error *e);
