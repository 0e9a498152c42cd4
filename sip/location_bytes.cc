// sip/location_bytes.cc - bindings as bytes for another shard: fixed fields in their order, texts behind their length.
//
// Written and read by the same process, so numbers stay as they are in memory.
#include <cstring>
#include <type_traits>

#include "sip/location.h"

namespace parley::sip {
namespace {

constexpr std::uint32_t format = 0x70a11e03;  // changes with the fields

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  template <class T>
  void field(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof value);
    out_.append(bytes, sizeof bytes);
  }
  void field(const std::string& text) {
    field(static_cast<std::uint32_t>(text.size()));
    out_.append(text);
  }
  void field(const core::Instant& at) { field(at.time_since_epoch().count()); }
  void field(bool value) { field(static_cast<std::uint8_t>(value)); }

 private:
  std::string& out_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  template <class T>
  void field(T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (rest_.size() < sizeof value) {
      fail();
      return;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
  }
  void field(std::string& text) {
    std::uint32_t size = 0;
    field(size);
    if (rest_.size() < size) {
      fail();
      return;
    }
    text.assign(rest_.substr(0, size));
    rest_.remove_prefix(size);
  }
  void field(core::Instant& at) {
    core::Duration::rep count = 0;
    field(count);
    at = core::Instant(core::Duration(count));
  }
  void field(bool& value) {
    std::uint8_t byte = 0;
    field(byte);
    value = byte != 0;
  }
  // An enumerator up to the last.
  template <class E>
  void enumerator(E& value, E last) {
    std::underlying_type_t<E> number{};
    field(number);
    if (number > static_cast<std::underlying_type_t<E>>(last)) fail();
    if (ok_) value = static_cast<E>(number);
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  void fail() {
    ok_ = false;
    rest_ = {};
  }
  std::string_view rest_;
  bool ok_ = true;
};

// Every field but the enumerators, in one order for both ways.
template <class Stream, class B>
void fields(Stream& stream, B& b) {
  stream.field(b.number);
  stream.field(b.row);
  stream.field(b.contact);
  stream.field(b.display);
  stream.field(b.params);
  stream.field(b.instance);
  stream.field(b.reg_id);
  stream.field(b.q);
  stream.field(b.call_id);
  stream.field(b.cseq);
  stream.field(b.path);
  stream.field(b.flow.shard);
  stream.field(b.flow.listener);
  stream.field(b.flow.connection.index);
  stream.field(b.flow.connection.generation);
  stream.field(b.flow.remote.ip);
  stream.field(b.flow.remote.port);
  stream.field(b.over_flow);
  stream.field(b.server);
  stream.field(b.user_agent);
  stream.field(b.expires_seconds);
  stream.field(b.expires);
  stream.field(b.registered);
  stream.field(b.refreshed);
}

}  // namespace

void encode_bindings(std::string& out, std::span<const Binding> bindings) {
  Writer writer(out);
  writer.field(format);
  writer.field(static_cast<std::uint32_t>(bindings.size()));
  for (const Binding& binding : bindings) {
    fields(writer, binding);
    writer.field(binding.flow.transport);
    writer.field(binding.flow.remote.family);
    writer.field(binding.last_event);
  }
}

bool decode_bindings(std::string_view bytes, std::vector<Binding>& bindings) {
  bindings.clear();
  Reader reader(bytes);
  std::uint32_t mark = 0;
  std::uint32_t count = 0;
  reader.field(mark);
  reader.field(count);
  bool good = reader.ok() && mark == format;
  for (std::uint32_t i = 0; good && i < count; ++i) {
    Binding binding;
    fields(reader, binding);
    reader.enumerator(binding.flow.transport, core::Transport::pipe);
    reader.enumerator(binding.flow.remote.family, core::Address::Family::v6);
    reader.enumerator(binding.last_event, BindingEvent::deactivated);
    good = reader.ok();
    if (good) bindings.push_back(std::move(binding));
  }
  if (good && reader.at_end()) return true;
  bindings.clear();
  return false;
}

}  // namespace parley::sip
