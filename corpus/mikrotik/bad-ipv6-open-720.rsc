# 2026-03-02 21:40:18 by RouterOS 7.20.8
# software id = KNR1-0005
#
# model = CCR2116-12G-4S+
# serial number = HD000000005
/interface bridge
add name=lan
/interface list
add name=WAN
add name=LAN
/interface bridge port
add bridge=lan interface=ether2
/interface list member
add interface=ether1 list=WAN
add interface=lan list=LAN
/ip address
add address=203.0.113.130/28 interface=ether1 network=203.0.113.128
add address=192.168.20.1/24 interface=lan network=192.168.20.0
/ip firewall filter
add action=accept chain=input connection-state=established,related,untracked
add action=drop chain=input in-interface-list=!LAN
add action=accept chain=forward connection-state=established,related,untracked
add action=drop chain=forward in-interface-list=WAN
/ip firewall nat
add action=masquerade chain=srcnat out-interface-list=WAN
/ip route
add dst-address=0.0.0.0/0 gateway=203.0.113.129
/ip service
set telnet disabled=yes
set ftp disabled=yes
set www disabled=yes
set api disabled=yes
/ipv6 address
add address=2001:db8:5::2/64 advertise=no interface=ether1
add address=2001:db8:5:1::1 interface=lan
/ipv6 firewall address-list
add address=2001:db8:99::/48 list=maker6
/ipv6 firewall filter
add action=accept chain=forward connection-state=established,related,untracked
add action=accept chain=forward dst-address=2001:db8:5:1::30/128 dst-port=443 \
    protocol=tcp src-address-list=maker6
add action=accept chain=forward dst-address=2001:db8:5:1::31/128 dst-port=8080 \
    protocol=tcp
add action=drop chain=forward in-interface-list=WAN
/ipv6 route
add dst-address=::/0 gateway=2001:db8:5::1
/system identity
set name=tsubaki
/system logging action
add name=loghost remote=192.168.20.5 target=remote
/system logging
add action=loghost topics=info
/system ntp client
set enabled=yes
/system ntp client servers
add address=2001:db8:5:1::123
