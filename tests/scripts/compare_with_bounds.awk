# SPDX-License-Identifier: MIT
# Compares what was measured with what is committed; fails where something is more, or is not in both.
# awk -v tolerance=PERCENT -v unit=UNIT -f compare_with_bounds.awk BOUNDS MEASURED   a line of both is: name number
/^#/ { next }
FNR == NR { bound[$1] = $2; next }
{
    seen[$1] = 1
    if (!($1 in bound)) { print $1 ": " $2 " " unit ", and no bound"; failed = 1; next }
    change = 100 * ($2 / bound[$1] - 1)
    verdict = change > tolerance ? "MORE THAN IS ALLOWED" : change < -tolerance ? "less: lower the bound" : ""
    printf "%-18s %10d %s, committed %10d, %+5.1f %% %s\n", $1, $2, unit, bound[$1], change, verdict
    if (change > tolerance) failed = 1
}
END {
    for (name in bound) if (!(name in seen)) { print name ": was not measured"; failed = 1 }
    exit failed
}
