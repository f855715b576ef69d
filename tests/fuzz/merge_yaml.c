/* Fuzzes merges of yaml into yaml: see merge.h. */
#include "merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    merge_input(CONFIG_YAML, data, size);
    return 0;
}
