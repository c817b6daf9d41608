# SPDX-License-Identifier: MIT
# What Doxygen sees of a public header: what users call, without the means by which it is made.
# Usage: awk -f header.awk HEADER, in the root of the source tree. Each header is named in topics.txt.
# A line that is left out leaves an empty one, so that warnings name the right lines, but for those that follow what is
# shown in place of a base class.

# The public part of a class that has no page of its own, with what that one inherits in turn.
function public_part_of(name, as,    file, line, where, text, base) {
    file = FILENAME
    if (name == "BasicPool") file = "include/procpool/basic_pool.hpp"
    if (name == "ImapCalls") file = "include/procpool/imap_calls.hpp"
    if (name == "PoolControl") file = "include/procpool/pool_control.hpp"
    while ((getline line <file) > 0) {
        if (line ~ "^class " name " ") where = "class"
        if (where == "class" && match(line, /: public (basic_[a-z_]+|ImapCalls|PoolControl)/)) base = substr(line, RSTART + 9, RLENGTH - 9)
        if (where == "public" && line ~ /^(protected|private):/) break
        if (where == "public") {
            gsub(name "\\(", as "(", line)
            gsub(/Derived/, as, line)
            text = text line "\n"
        }
        if (where == "class" && line == "public:") where = "public"
    }
    close(file)
    return (base ? public_part_of(base, as) : "") text
}

# Members that go without saying: how a value is copied and destroyed, and what ranges and iterators have to have.
function goes_without_saying(line) {
    return line ~ /= (default|delete);$/ || line ~ /operator=\(/ || line ~ /^ *using (base|[A-Za-z]+<.*>)::/ ||
           line ~ /^ *using (base|element_type|value_type|size_type|difference_type|reference|iterator|iterator_concept) =/ ||
           line ~ /^ *(friend )?void swap\(/ || line ~ /^ *[A-Za-z:_ ]+ end\(\)/ ||
           (in_iterator && line ~ /operator(\*|->|\+\+|==)\(/)
}

function indentation(line) {
    match(line, /^ */)
    return RLENGTH
}

# The line as it is shown; empty if it isn't.
function shown(line,    part, parts, n, i) {
    if (private_at != "") { # up to the end of the class
        if (line !~ /^ *(\};|public:)/ || indentation(line) != private_at) return ""
        private_at = ""
    }
    if (skipped != "") { # up to the end of a body
        if (line ~ /^ *\};?$/ && indentation(line) == skipped) skipped = ""
        return ""
    }
    if (line ~ /^template <detail::/ || line ~ /^Parallel\(/) return "" # which Parallel a constructor means
    if (line ~ /^ *(requires\()?!std::same_as<std::remove_cvref_t/) return "" # which overload a first argument means
    if (line ~ /^template <class>$/ || line ~ /^ *template <class = detail::only_if_used>$/) return ""
    if (line ~ /^\/\/\/ SharedArray<T>, of any/) { # has nothing but a message: its specialisations are the class
        skipped = 0
        return ""
    }
    if (line ~ /^ *(static_assert\(|using misused_options::)/ || line ~ /^ *friend [^(]*;$/) in_statement = 1
    if (in_statement) {
        if (line ~ /;$/) in_statement = 0
        return ""
    }
    if (line ~ /^ *\/\/\//) {
        documented = 1
        # All that is thrown is one list.
        if (line ~ /@throws /) sub(/@throws /, throws++ ? "- " : "@throwing ", line)
        return line
    }
    if (line ~ /^ *class iterator /) in_iterator = 1
    if (line ~ /^    };/) in_iterator = 0
    if (!documented && goes_without_saying(line)) {
        if (line ~ /\{$/) skipped = indentation(line)
        return ""
    }
    gsub(/\[\[nodiscard(\("[^"]*"\))?\]\] /, "", line)
    sub(/^protected:/, "private:", line)
    if (line ~ /^class .*\{$/) {
        n = split(line, parts, " ")
        name = parts[2]
        if (match(line, /: public (detail::)?(basic_[a-z_]+|BasicPool)</)) {
            base = substr(line, RSTART, RLENGTH - 1)
            sub(/.*[ :]/, "", base)
        }
    }
    if (line ~ /^(private:|\};)/ && base) {
        part = public_part_of(base, name)
        base = ""
        documented = throws = 0
        n = split(part, parts, "\n")
        part = ""
        for (i = 1; i <= n; ++i) part = part shown(parts[i]) "\n"
        line = part line
    }
    if (line ~ /private:$/) private_at = indentation($0)
    sub(/,? *public detail::wire::.* \{$/, " {", line)
    sub(/ : (public )?(detail::|BasicPool).*\{$/, " {", line)
    if (line !~ /\/\//) gsub(/detail::([a-z_]+::)*/, "", line)
    if (line !~ /^ *(template|requires|&&)/) documented = throws = 0
    return line
}

BEGIN {
    while ((getline line <"docs/doxygen/topics.txt") > 0)
        if (line ~ /^  /) {
            n = split(line, word, " ")
            for (i = 1; i <= n; ++i) topic_of["include/procpool/" word[i] ".hpp"] = topic
        } else if (line !~ /^#/) {
            topic = line
            sub(/:.*/, "", topic)
        }
}

FNR == 1 {
    file = FILENAME
    sub(/.*include\/procpool\//, "include/procpool/", file)
    next  # its line is that of the group
}

# Users never write the namespace of the version.
{ sub(/procpool::inline v[0-9]+_[0-9]+/, "procpool") }

# What is for the standard library follows the namespace.
ended { print ""; next }

/^namespace (procpool::)?detail/ { hidden = 1 }
hidden {
    print ""
    if (/^}  \/\/ namespace (procpool::)?detail/) hidden = 0
    next
}
/^namespace procpool(::(interop|mpi))? \{/ {
    print $0 " /** @addtogroup " topic_of[file]
    print "@{ */"
    next
}
/^}  \/\/ namespace procpool/ {
    print "/** @} */ " $0
    ended = 1
    next
}
# A class that is only declared would be listed in the wrong topic.
/^template <.*>$/ {
    if (held != "") print held
    held = shown($0)
    if (held == "") print ""
    next
}
/^class [A-Za-z]+;$/ {
    if (held != "") print ""
    held = ""
    print ""
    next
}
{
    if (held != "") print held
    held = ""
    print shown($0)
}
