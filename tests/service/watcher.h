// tests/service/watcher.h - a client that registers, subscribes to registrations and reads what it is notified of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/service/sip_world.h"

namespace parley::tests {

// Everything a SUBSCRIBE or REGISTER can say otherwise than usual.
struct Ask {
  std::string event = "reg";    // "": no Event
  std::string expires = "600";  // "": no Expires
  std::string accept{};
  std::string to_user{};  // "": himself; "-": nobody, the server
  std::string lines{};    // further header lines
  std::string contact{};  // Contact value; "": his own
  bool auth = true;       // answers a challenge
};

class Watcher {
 public:
  // `shard`: where his messages arrive. Over a connection when `stream`.
  Watcher(SipWorld& world, std::string user, std::string address, std::uint32_t shard = 0, bool stream = false);

  // The final response; NOTIFYs that came with it wait in notifies().
  std::string subscribe(const Ask& ask = {});
  // In the dialog.
  std::string refresh(const Ask& ask = {}) { return request("SUBSCRIBE", ask); }
  std::string enrol(const std::string& expires = "3600", const std::string& contact = {});

  // NOTIFYs that have come since the last call, answered with `status`; 0: not at all.
  std::vector<std::string> notifies(std::uint16_t status = 200);
  // The only one.
  std::string notify(std::uint16_t status = 200);
  void hang_up() { world_.close(conn_, shard_); }
  // Over another connection.
  void call_again(std::uint32_t shard = 0) { conn_ = world_.open(address_, shard_ = shard); }
  [[nodiscard]] const std::string& target() const { return target_; }
  void forget_dialog_tag();
  std::uint32_t& cseq() { return cseq_; }

 private:
  std::string request(const std::string& method, const Ask& ask);
  [[nodiscard]] std::string uri(const std::string& method, const Ask& ask) const;
  std::string once(const std::string& method, const Ask& ask, const std::string& more);

 public:
  // Sends text as it stands; the response.
  std::string send(const std::string& text);
  [[nodiscard]] const std::string& last() const { return last_; }

 private:
  // Takes what went out; the last response among it.
  std::string collect();

  SipWorld& world_;
  std::string user_;
  std::string address_;
  std::uint32_t shard_;
  bool stream_;
  core::ConnId conn_;
  std::string call_id_;
  std::string dialog_to_;
  std::string target_;
  std::string last_;
  std::uint32_t cseq_ = 0;
  std::uint32_t registers_ = 0;
  std::uint32_t branch_ = 0;
  int call_ = 0;
  std::vector<SipWorld::Sent> notifies_;
};

// "active 1: registered", what a document says: state of the registration, then each contact's state and event.
std::string said(std::string_view notify);
std::string version(std::string_view notify);
std::string completeness(std::string_view notify);

}  // namespace parley::tests
