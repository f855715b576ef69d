/* Computes how much of its limits a project uses. */
#pragma once

#include "lib/api/quota_keeper.h"
#include "quota-keeper/kernel.h"

/* Returns the worse level of bytes and inodes. 'threshold' is in percent of the hard limit, or of the soft
 * one if there is no hard limit. */
enum quota_level quota_level(const struct kernel_quota *quota, int64_t threshold);
