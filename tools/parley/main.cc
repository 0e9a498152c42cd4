// tools/parley/main.cc - parley: an IM client for a terminal and for scripts.
//
//   parley --user sip:alice@example.org --password-file F --server tls:sip.example.org send sip:bob@example.org hello
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

#include "tools/parley/disk_files.h"
#include "tools/parley/front.h"
#include "tools/parley/options.h"

namespace {

using namespace parley::client;

int complain(const std::string& text, int status) {
  std::fprintf(stderr, "parley: %s\n", text.c_str());
  return status;
}

// Its first line. False: it cannot be read.
bool read_password(const std::string& path, std::string& password) {
  std::ifstream file(path);
  if (!std::getline(file, password)) return false;
  if (!password.empty() && password.back() == '\r') password.pop_back();
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const ParsedOptions parsed = parse_options(argc, argv);
  if (parsed.outcome == ParsedOptions::Outcome::bad) return complain(parsed.text, exit_usage);
  if (parsed.outcome == ParsedOptions::Outcome::print) return std::fputs(parsed.text.c_str(), stdout) < 0 ? 1 : 0;
  const Settings& settings = parsed.settings;

  std::string password;
  if (!settings.password_file.empty() && !read_password(settings.password_file, password)) {
    return complain("--password-file: " + settings.password_file + " cannot be read", exit_usage);
  }
  struct stat place {};
  if (!settings.directory.empty() && (::stat(settings.directory.c_str(), &place) != 0 || !S_ISDIR(place.st_mode))) {
    return complain("--files: " + settings.directory + " is no directory", exit_usage);
  }
  std::shared_ptr<const ByteSource> body;
  std::optional<FileOffer> file;
  if (settings.command == Settings::Command::send && !settings.file.empty()) {
    OpenedFile opened = open_file(settings.file, settings.content_type);
    if (opened.source == nullptr) return complain(opened.error, exit_usage);
    body = std::move(opened.source);
    file = std::move(opened.offer);
  } else if (settings.command == Settings::Command::send) {
    std::string text = settings.text;
    if (text == "-") text.assign(std::istreambuf_iterator<char>(std::cin), {});
    body = std::make_shared<TextSource>(std::move(text));
  }
  return run(settings, password, std::move(body), std::move(file));
}
