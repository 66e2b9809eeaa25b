# 2024-01-20 07:30:01 by RouterOS 7.12.1
# software id = KNR1-0004
#
# model = RB4011iGS+
# serial number = HC000000004
/interface bridge
add name=bridge
/interface pppoe-client
add add-default-route=yes disabled=no interface=ether1 name=pppoe-out1 user=\
    kaede@isp.example
/interface list
add name=WAN
add name=LAN
add include=all name=zone-local
add exclude=LAN include=all name=not-lan
/interface list member
add interface=pppoe-out1 list=WAN
add interface=bridge list=LAN
/ip pool
add name=dhcp ranges=192.168.10.50-192.168.10.200
/ip dhcp-server
add address-pool=dhcp interface=bridge name=dhcp1
/interface bridge port
add bridge=bridge interface=ether2
/ip address
add address=192.168.10.1/24 interface=bridge network=192.168.10.0
/ip dhcp-client
add disabled=yes interface=ether1
/ip dhcp-server network
add address=192.168.10.0/24 gateway=192.168.10.1
/ip dns
set servers=192.0.2.53
/ip firewall address-list
add address=198.51.100.0/24 list=partners
add address=support.example.jp list=partners
add address=192.0.2.99 list=forgotten
/ip firewall filter
add action=jump chain=input in-interface-list=WAN jump-target=from-wan
add action=accept chain=input comment="all our zones" in-interface-list=zone-local
add action=drop chain=input
add action=return chain=from-wan dst-port=22 protocol=tcp src-address-list=partners
add action=accept chain=from-wan dst-port=8291 protocol=tcp src-address-list=\
    knocked
add action=add-src-to-address-list address-list=knocked address-list-timeout=5m \
    chain=from-wan dst-port=7001 protocol=tcp
add action=accept chain=from-wan dst-port=2000 protocol=tcp src-address-list=\
    nobody-fills-this
add action=accept chain=forward connection-state=established,related
add action=accept chain=forward comment="old rule" disabled=yes in-interface-list=WAN
add action=accept chain=forward comment="everything in" in-interface-list=WAN \
    out-interface-list=LAN
add action=accept chain=forward comment="never asked" dst-address=192.168.10.9 dst-port=3389 \
    in-interface-list=WAN out-interface=bridge protocol=tcp
add action=drop chain=forward in-interface-list=not-lan
/ip firewall nat
add action=masquerade chain=srcnat out-interface-list=WAN
add action=dst-nat chain=dstnat dst-port=11112 in-interface-list=WAN protocol=tcp \
    src-address-list=partners to-addresses=192.168.10.30
add action=dst-nat chain=dstnat comment=recorder dst-address-type=local dst-port=554 \
    protocol=tcp to-addresses=192.168.10.31
/ip firewall raw
add action=drop chain=prerouting dst-port=53 in-interface-list=WAN protocol=udp
/ip service
set telnet disabled=yes
set www address=192.168.10.0/24
/system identity
set name=kaede-lab
/system logging
set 0 topics=info,!account
add action=remote topics=error
/system logging action
set 3 remote=192.168.10.5
/tool mac-server
set allowed-interface-list=LAN
