/* Implements ids.h. */
#include "quota-keeper/ids.h"

#include <assert.h>

static_assert(ID_MAX / 64 / 64 < 64, "one word covers the words of the second level");

#define BIT(n) (UINT64_C(1) << ((n) % 64))

void id_set_add(struct id_set *set, int64_t id)
{
    if (id < 0 || id > ID_MAX)
        return;
    size_t word = (size_t)id / 64, group = word / 64;
    set->bits[word] |= BIT(id);
    if (set->bits[word] == UINT64_MAX)
        set->full[group] |= BIT(word);
    if (set->full[group] == UINT64_MAX)
        set->all_full |= BIT(group);
}

void id_set_remove(struct id_set *set, int64_t id)
{
    if (id < 0 || id > ID_MAX)
        return;
    size_t word = (size_t)id / 64, group = word / 64;
    set->bits[word] &= ~BIT(id);
    set->full[group] &= ~BIT(word);
    set->all_full &= ~BIT(group);
}

bool id_set_has(const struct id_set *set, int64_t id)
{
    return id >= 0 && id <= ID_MAX && set->bits[id / 64] & BIT(id);
}

/* Returns the position of the first zero bit of 'word' at or after 'from' (0 to 64); 64 if there is none. */
static size_t first_zero(uint64_t word, size_t from)
{
    uint64_t zeros = from < 64 ? ~word & (UINT64_MAX << from) : 0;
    return zeros ? (size_t)__builtin_ctzll(zeros) : 64;
}

int64_t id_set_first_gap(const struct id_set *set, int64_t min, int64_t max)
{
    if (min < 0 || min > ID_MAX)
        return -1;
    size_t word = (size_t)min / 64;
    size_t bit = first_zero(set->bits[word], (size_t)min % 64);
    if (bit == 64) { /* the next word that is not full: in this group, or in a later one */
        size_t group = word / 64, next = first_zero(set->full[group], word % 64 + 1);
        if (next == 64) {
            group = first_zero(set->all_full, group + 1);
            if (group >= ARRAY_SIZE(set->full))
                return -1;
            next = first_zero(set->full[group], 0);
        }
        word = group * 64 + next;
        if (word >= ARRAY_SIZE(set->bits))
            return -1;
        bit = first_zero(set->bits[word], 0);
    }
    int64_t id = (int64_t)(word * 64 + bit);
    return id <= max && id <= ID_MAX ? id : -1;
}
