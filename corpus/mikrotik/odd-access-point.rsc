# 2026-05-12 08:31:07 by RouterOS 7.20.1
# software id = 7QWE-LK2M
#
# model = RBcAPGi-5acD2nD
# Fiction: an access point. Its bridge is the only network it has; whether that is the Internet, nobody can say.
/interface bridge add name=floor2
/interface ethernet set [ find default-name=ether1 ] name=uplink
/interface bridge port add bridge=floor2 interface=uplink
/interface bridge port add bridge=floor2 interface=ether2
/interface bridge port add bridge=floor2 interface=wlan1
/ip dhcp-client add interface=floor2
/ip service set telnet disabled=yes
/ip service set ftp disabled=yes
/ip service set www disabled=yes
/ip service set api disabled=yes
/ip service set api-ssl disabled=yes
/system identity set name=ap-floor2
/system ntp client set enabled=yes
/system ntp client servers add address=192.0.2.123
