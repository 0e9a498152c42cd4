// core/store/schema.h - the tables of a store, and how an older file becomes one of today.
#pragma once

#include <string>

namespace parley::core {

class Sqlite;

// Brings an open file to this version's schema in one transaction; a new file gets it whole. Empty, or why not: a file
// that is no store of ours, or one that a later version has written, is not touched.
[[nodiscard]] std::string migrate(Sqlite& db);

}  // namespace parley::core
