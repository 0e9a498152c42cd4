// policy/room_legs.h - what a room asks of the MSRP sessions of its members: the part of msrp::Ends that it uses.
//
// An interface, so that a room can be tested against legs that are slow, break and repeat themselves on purpose. It is
// called once for a message, not once for a member.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "msrp/ends.h"

namespace parley::policy {

class RoomLegs {
 public:
  virtual ~RoomLegs() = default;
  virtual void close(msrp::EndHandle end) = 0;
  virtual void answer(msrp::EndHandle end, msrp::EndToken& token, std::uint16_t status) = 0;
  virtual msrp::Ends::Sent send(msrp::EndHandle end, const msrp::EndSend& message) = 0;
  virtual void fan_out(std::span<const msrp::EndHandle> ends, const msrp::EndSend& message,
                       std::vector<msrp::Ends::NotSent>& not_sent) = 0;
  virtual void report(msrp::EndHandle end, std::string_view message_id, const msrp::ByteRange& range,
                      std::uint16_t status, std::string_view headers) = 0;
  [[nodiscard]] virtual std::uint64_t waiting_bytes(msrp::EndHandle end) const = 0;
  virtual void hold(msrp::EndHandle end) = 0;
  virtual void release(msrp::EndHandle end) = 0;
  // Whether another shard has more to write to its legs than it should: who sends is held back.
  [[nodiscard]] virtual bool outrun() const { return false; }
};

// The legs of a shard's Relay.
class RoomEnds final : public RoomLegs {
 public:
  explicit RoomEnds(msrp::Ends& ends) : ends_(ends) {}
  void close(msrp::EndHandle end) override { ends_.close(end); }
  void answer(msrp::EndHandle, msrp::EndToken& token, std::uint16_t status) override { ends_.answer(token, status); }
  msrp::Ends::Sent send(msrp::EndHandle end, const msrp::EndSend& message) override { return ends_.send(end, message); }
  void fan_out(std::span<const msrp::EndHandle> ends, const msrp::EndSend& message,
               std::vector<msrp::Ends::NotSent>& not_sent) override {
    ends_.fan_out(ends, message, not_sent);
  }
  void report(msrp::EndHandle end, std::string_view message_id, const msrp::ByteRange& range, std::uint16_t status,
              std::string_view headers) override {
    ends_.report(end, message_id, range, status, headers);
  }
  [[nodiscard]] std::uint64_t waiting_bytes(msrp::EndHandle end) const override { return ends_.waiting_bytes(end); }
  void hold(msrp::EndHandle end) override { ends_.hold(end); }
  void release(msrp::EndHandle end) override { ends_.release(end); }

 private:
  msrp::Ends& ends_;
};

}  // namespace parley::policy
