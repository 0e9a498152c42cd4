// tests/policy/conference_party.h - a ConferenceWorld with watchers who get what is sent to them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/policy/conference_watcher.h"
#include "tests/policy/conference_world.h"

namespace parley::tests {

struct ConferenceParty {
  explicit ConferenceParty(const std::shared_ptr<const policy::SipConfig>& config = conference_config())
      : world(config) {
    world.on_datagram = [this](const core::Address& to, std::string_view text) {
      const auto found = by_address.find(core::to_string(to));
      if (found != by_address.end()) found->second->take(text);
    };
    world.on_bytes = [this](core::ConnId conn, std::string_view text) {
      const auto found = by_conn.find(conn.index);
      if (found != by_conn.end()) {
        found->second->take(text);
      } else {
        strays.emplace_back(conn, std::string(text));
      }
    };
    take_calls();
  }
  // Watchers take connections to their address.
  void take_calls() {
    world.on_connect = [this](const core::ConnectRequest& request) {
      const std::string at = core::to_string(request.address);
      if (const auto found = by_address.find(at); found != by_address.end()) by_conn[world.next_conn()] = found->second;
      (void)world.connected(request.token, at);
    };
  }
  // The test does.
  void hold_calls() {
    world.on_connect = [this](const core::ConnectRequest& request) { world.connects.push_back(request); };
  }
  // `at`: "" for an address of its own.
  ConferenceWatcher& add(const std::string& name, bool stream = false, std::string at = {}) {
    if (at.empty()) {
      const std::size_t n = watchers.size();
      at = "127.0." + std::to_string(1 + n / 10'000) + ".1:" + std::to_string(20'000 + n % 10'000);
    }
    watchers.push_back(std::make_unique<ConferenceWatcher>(world, name, at, stream));
    ConferenceWatcher& watcher = *watchers.back();
    by_address[at] = &watcher;
    if (stream) by_conn[watcher.conn().index] = &watcher;
    return watcher;
  }

  ConferenceWorld world;
  std::vector<std::unique_ptr<ConferenceWatcher>> watchers;
  std::map<std::string, ConferenceWatcher*> by_address;
  std::map<std::uint32_t, ConferenceWatcher*> by_conn;
  std::vector<std::pair<core::ConnId, std::string>> strays;  // over connections that we made
};

}  // namespace parley::tests
