// tools/parley-load/main.cc - the command line of the load generator.
#include <CLI/CLI.hpp>

#include "tools/parley-load/relay.h"

int main(int argc, char** argv) {
  CLI::App app{"parley-load: load generator for MSRP relays"};
  app.require_subcommand(1);
  parley::load::Options options;
  CLI::App* relay = app.add_subcommand(
      "relay",
      "pairs of a sender and a receiver behind a relay (RFC 4976); every body is verified, order and loss are checked");
  parley::load::add_relay_flags(*relay, options);
  CLI11_PARSE(app, argc, argv);
  options.duration_given = relay->count("--duration") > 0;
  return parley::load::run_relay(std::move(options));
}
