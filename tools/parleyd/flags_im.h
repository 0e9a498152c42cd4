// tools/parleyd/flags_im.h - the flags of the IM service; see flags.h.
#pragma once

#include <string>
#include <vector>

#include "tools/parleyd/flag_table.h"
#include "tools/parleyd/settings.h"

namespace parley::parleyd {

enum class Release : std::uint8_t { one, two };

struct RawIm {
  Release release = Release::one;
  std::string error_info;
  std::vector<std::string> deferred_uris;
};

void add_im(FlagTable& flags, Settings& settings, RawIm& raw);
void finish_im(Settings& settings, const RawIm& raw);

}  // namespace parley::parleyd
