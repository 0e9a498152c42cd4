// core/store/store.h - what outlives the process: rows, what is done to them, and who takes what is to be done.
//
// A Worker says what is to be stored by Outbox::store; its loop gives that to the StoreSink, which works on threads of its
// own: no shard ever waits for a disk. Operations of one shard on one row are carried out in their order. Times are
// milliseconds since 1970, since no other clock outlives a process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace parley::core {

// One way to reach a user (RFC 3261 section 10), as sip::Binding says. Table `registration`; its key is (aor, id).
struct BindingRow {
  std::string aor;
  std::uint64_t id = 0;  // below 2^63; names it among those of its aor for its whole life
  std::string contact;
  std::string display;
  std::string params;
  std::string instance;
  std::uint32_t reg_id = 0;
  std::uint16_t q = 1000;
  std::string call_id;
  std::uint32_t cseq = 0;
  std::string path;
  std::string user_agent;
  std::string listener;  // where its last REGISTER came in: "udp 192.0.2.1:5060"
  std::string remote;    // and from where: "198.51.100.7:5060"
  bool over_flow = false;
  bool server = false;
  std::uint32_t granted_s = 0;
  std::int64_t registered_ms = 0;
  std::int64_t refreshed_ms = 0;
  std::int64_t expires_ms = 0;
  bool operator==(const BindingRow&) const = default;
};

struct StoreOp {
  enum class Kind : std::uint8_t {
    put_binding,     // in place of the row of that key, if there is one
    remove_binding,  // aor and id; nothing happens if it is not there
  };
  Kind kind = Kind::put_binding;
  BindingRow binding;
};

struct StoreSink {
  virtual ~StoreSink() = default;
  // Takes the operations over and leaves `ops` empty. Called on the shard's thread; must not block. What finds no room is
  // lost and counted: what it was about is stored anew with the next change of the same row.
  virtual void submit(std::uint32_t shard, std::vector<StoreOp>& ops) = 0;
};

}  // namespace parley::core
