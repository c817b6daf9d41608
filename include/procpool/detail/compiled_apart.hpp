// SPDX-License-Identifier: MIT
// Marks functions that are compiled with the engine where that is compiled apart.
#ifndef PROCPOOL_DETAIL_COMPILED_APART_HPP
#define PROCPOOL_DETAIL_COMPILED_APART_HPP

// Before the definition of a function that is no template.
#ifdef PROCPOOL_SEPARATE_COMPILATION
#define PROCPOOL_COMPILED_APART
#else
#define PROCPOOL_COMPILED_APART inline
#endif

#endif
