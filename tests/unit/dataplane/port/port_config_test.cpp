// The forms of `port = "…"`.
#include "dataplane/port/port_config.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace binlane {
namespace {

std::string refusal(const std::string& text) {
  try {
    parse_port_spec(text);
  } catch (const StartupError& error) {
    return error.what();
  }
  return "";
}

TEST(PortSpec, AcceptsTheThreeForms) {
  EXPECT_EQ(parse_port_spec("udp").kind, PortKind::udp);
  const PortSpec vhost = parse_port_spec("vhost:/run/r1.sock");
  EXPECT_EQ(vhost.kind, PortKind::vhost);
  EXPECT_EQ(vhost.argument, "/run/r1.sock");
  const PortSpec dpdk = parse_port_spec("dpdk:net_af_packet0,iface=veth0");
  EXPECT_EQ(dpdk.kind, PortKind::dpdk);
  EXPECT_EQ(dpdk.argument, "net_af_packet0,iface=veth0");
}

TEST(PortSpec, RefusesOthersWithTheForms) {
  for (const char* text : {"", "upd", "udp:", "vhost:", "vhost:relative.sock", "dpdk:", "memif:/x",
                           "vhost:/a,b", "vhost:/a=b", "vhost:/a[0]"}) {
    EXPECT_NE(refusal(text).find("\"udp\""), std::string::npos) << text;
  }
  EXPECT_NE(refusal("vhost:/" + std::string(107, 'x')).find("longer"), std::string::npos);
  EXPECT_EQ(refusal("vhost:/" + std::string(106, 'x')), "");
}

TEST(PortSpec, KnowsPciDevices) {
  for (const char* text : {"dpdk:0000:01:00.0", "dpdk:01:00.0", "dpdk:0000:3b:00.1,mprq_en=1",
                           "dpdk:pci:0000:01:00.0"}) {
    EXPECT_TRUE(parse_port_spec(text).on_pci()) << text;
  }
  for (const char* text : {"udp", "vhost:/0000:01:00.0", "dpdk:net_af_packet0,iface=veth0.1",
                           "dpdk:net_ring0", "dpdk:net_tap0,iface=a:b.c"}) {
    EXPECT_FALSE(parse_port_spec(text).on_pci()) << text;
  }
}

}  // namespace
}  // namespace binlane
