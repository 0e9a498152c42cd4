// tools/parleyd/help_page.cc - see help_page.h.
#include "tools/parleyd/help_page.h"

#include <algorithm>
#include <sstream>

namespace parley::parleyd {

std::string help_page(const CLI::App& app) {
  std::string page = app.help();
  for (auto at = page.find("\n\n\n"); at != std::string::npos; at = page.find("\n\n\n", at)) page.erase(at, 1);
  while (page.ends_with("\n\n")) page.pop_back();
  return page;
}

std::string HelpPage::make_usage(const CLI::App*, std::string) const {
  return "usage: parleyd --msrp tcp:HOST:PORT [--msrp ...] --domain NAME --users-file FILE [flags]\n";
}

std::string HelpPage::make_option(const CLI::Option* option, bool) const {
  constexpr std::size_t width = 100;
  constexpr std::size_t text_from = 6;
  constexpr std::size_t default_from = 52;
  std::string head = "  " + option->get_name(false, true);
  if (option->get_type_size() != 0 && !option->get_type_name().empty()) head += " " + option->get_type_name();
  if (option->get_expected_max() == CLI::detail::expected_max_vector_size) head += " (repeatable)";
  if (!option->get_default_str().empty()) {
    head.resize(std::max(head.size() + 2, default_from), ' ');
    head += "default " + option->get_default_str();
  }
  std::string page = head + "\n";
  std::string line;
  std::istringstream words(option->get_description());
  for (std::string word; words >> word;) {
    if (!line.empty() && text_from + line.size() + 1 + word.size() > width) {
      page += std::string(text_from, ' ') + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  if (!line.empty()) page += std::string(text_from, ' ') + line + "\n";
  return page;
}

}  // namespace parley::parleyd
