// tools/parley-load/pager_options.h - what the command line asked of `parley-load pager` beside what all SIP loads are asked.
#pragma once

#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace parley::load {

struct SipOptions;

struct PagerOptions {
  bool cpim = false;    // message/cpim around each text
  bool im_tag = true;   // OMA SIMPLE IM: the feature tag in Contact and Accept-Contact
  uint32_t list = 0;    // recipients of a message to a list; 0: none goes to one
  uint32_t list_percent = 10;
  std::string factory;  // where such messages go
  std::string group;    // URI; empty: none goes to a group
  uint32_t group_members = 0;  // the first users
  uint32_t group_percent = 10;
  bool copies_in_order = false;
};

// All flags of the mode, those that it shares too.
void add_pager_flags(CLI::App& app, SipOptions& options);
// Behind finish_sip_options; empty when all is well.
std::string finish_pager_options(SipOptions& options);

}  // namespace parley::load
