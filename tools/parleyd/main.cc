// tools/parleyd/main.cc - parleyd: flags, files, then a daemon that serves until it is told to stop.
//
// Exit status: 0 after a drain, 1 when starting failed or serving ended early, 2 for a bad flag or file.
#include <cstdio>
#include <utility>

#include "tools/parleyd/daemon.h"
#include "tools/parleyd/flags.h"
#include "tools/parleyd/process.h"

namespace {

using namespace parley::parleyd;

int complain(const std::string& text, int status) {
  std::fprintf(stderr, "parleyd: %s\n", text.c_str());
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  Origin origin;
  origin.arguments = take_arguments(argc, argv);
  Parsed parsed = parse_flags(origin.arguments);
  if (parsed.outcome == Parsed::Outcome::bad) return complain(parsed.text, 2);
  if (parsed.outcome == Parsed::Outcome::print) return std::fputs(parsed.text.c_str(), stdout) < 0 ? 1 : 0;

  origin.users_on_command_line = drop_user_flags(origin.arguments);
  origin.users = digest_and_wipe(parsed.settings.users, parsed.settings.realm);
  Loaded loaded = load_files(parsed.settings, origin.users, nullptr);
  if (!loaded.error.empty()) return complain(loaded.error, 2);
  if (const std::string why = parley::core::loop_unavailable(parsed.settings.loop); !why.empty()) {
    return complain("--loop: " + why, 2);
  }
  for (const std::string& warning : parsed.warnings) loaded.warnings.push_back(warning);
  if (parsed.outcome == Parsed::Outcome::check) {
    for (const std::string& warning : loaded.warnings) complain(warning, 0);
    std::puts("ok");
    return 0;
  }

  const int signal_fd = take_signals();
  if (signal_fd < 0) return complain("cannot take signals", 1);
  Daemon daemon(std::move(parsed.settings), std::move(origin), std::move(loaded), Notify::from_environment());
  if (const std::string why = daemon.start(); !why.empty()) return complain(why, 1);
  return daemon.serve(signal_fd);
}
