# 2026-04-09 03:11:00 by RouterOS 7.21.3
# system id = KANARI00test
#
/interface ethernet set [ find default-name=ether1 ] disable-running-check=no name=uplink
/interface ethernet set [ find default-name=ether2 ] disable-running-check=no
/ip address add address=203.0.113.200/27 interface=uplink network=203.0.113.192
/ip address add address=10.60.0.1/24 interface=ether2 network=10.60.0.0
/ip dns set servers=203.0.113.53
/ip firewall nat add action=masquerade chain=srcnat out-interface=uplink
/ip route add disabled=no distance=1 dst-address=0.0.0.0/0 gateway=203.0.113.193 routing-table=main
/ip service set ftp disabled=yes
/ip service set telnet disabled=yes
/ip service set ssh address=198.51.100.0/28
/ip service set winbox address=10.60.0.0/24,198.51.100.0/28
/ip service set api disabled=yes
/ip service set api-ssl disabled=yes
/snmp community add addresses=10.60.0.9/32 authentication-protocol=SHA1 encryption-protocol=AES name=KANARI-monitor security=private
/snmp community set [ find default=yes ] disabled=yes
/snmp set enabled=yes
/system identity set name=chr-edge
/system note set show-at-login=no
