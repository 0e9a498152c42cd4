// tools/parleyd/flags_documents.h - the flags of documents and groups; see flags.h.
#pragma once

#include <string>
#include <vector>

#include "tools/parleyd/flag_table.h"
#include "tools/parleyd/settings.h"

namespace parley::parleyd {

struct RawDocuments {
  std::vector<std::string> groups;
};

void add_documents(FlagTable& flags, Settings& settings, RawDocuments& raw);
// After the domains are settled, which complete names.
void finish_documents(Settings& settings, const RawDocuments& raw);

}  // namespace parley::parleyd
